-- false, not absent: whether Git says nothing or false, there is no difference to show.
obj.spec.suspend = false
return obj
