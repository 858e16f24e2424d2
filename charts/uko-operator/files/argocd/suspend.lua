-- No call to a cloud until someone resumes it.
obj.spec.suspend = true
return obj
