-- How Argo CD shows a ConnectorEndpoint or an AzureKeystoreConnection.
-- In: the global obj. Out: status and message. Never: a library. Argo CD does not open Lua's string library.

local conditions = {}
local observed = obj.status or {}
for _, condition in ipairs(observed.conditions or {}) do
  conditions[condition.type] = condition
end

local function shown(status, condition)
  return { status = status, message = condition.message }
end

local function holds(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end

if obj.metadata.deletionTimestamp ~= nil then
  if holds("DeletionBlocked") then
    return shown("Progressing", conditions.DeletionBlocked)
  end
  return { status = "Progressing", message = "It is being deleted." }
end

-- Before the operator's first look observedGeneration is -1, and after a change it is that of the spec before.
if observed.observedGeneration ~= obj.metadata.generation or conditions.Ready == nil then
  return { status = "Progressing", message = "The operator has not looked at this spec yet." }
end

local ready = conditions.Ready
if obj.spec.suspend == true then
  return shown("Suspended", ready)
end
if holds("Stalled") then
  return shown("Degraded", conditions.Stalled)
end
if holds("Reconciling") then
  return shown("Progressing", conditions.Reconciling)
end
if ready.status == "True" then
  return shown("Healthy", ready)
end
if ready.status == "Unknown" then
  return shown("Progressing", ready)
end

-- A person is awaited: an approval, a quota, or someone who reads status.plan and sets mode: Manage. Every reason that starts with
-- "Awaiting" lies between these two words.
local awaiting = ready.reason >= "Awaiting" and ready.reason < "Awaitinh"
-- In mode Plan nothing proceeds before a person does.
if awaiting or obj.spec.mode == "Plan" then
  return shown("Suspended", ready)
end
return shown("Degraded", ready)
