-- Which actions Argo CD offers, and which of them have no effect at present.
local deleting = obj.metadata.deletionTimestamp ~= nil
local suspended = obj.spec.suspend == true

local actions = {}
actions["sync-now"] = { displayName = "Look now", iconClass = "fa fa-fw fa-sync", disabled = deleting or suspended }
if obj.kind == "AzureKeystoreConnection" then
  actions["test-connection"] = { displayName = "Test the connection", iconClass = "fa fa-fw fa-plug", disabled = deleting or suspended }
end
actions["suspend"] = { displayName = "Suspend", iconClass = "fa fa-fw fa-pause", disabled = deleting or suspended }
actions["resume"] = { displayName = "Resume", iconClass = "fa fa-fw fa-play", disabled = deleting or not suspended }
return actions
