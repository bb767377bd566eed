--- Emit events to listeners within the plugin, and as `User` autocommands.
local M = {}

--- Every event, by the pattern of its autocommand.
---@enum mux.Event
M.names = {
  connected = 'MuxConnected',
  disconnected = 'MuxDisconnected',
  task_changed = 'MuxTaskChanged',
  task_deleted = 'MuxTaskDeleted',
  task_ended = 'MuxTaskEnded',
  run_changed = 'MuxRunChanged',
  run_finished = 'MuxRunFinished',
  run_failed = 'MuxRunFailed',
  run_cancelled = 'MuxRunCancelled',
  run_interrupted = 'MuxRunInterrupted',
  run_output = 'MuxRunOutput',
  review_changed = 'MuxReviewChanged',
  places_changed = 'MuxPlacesChanged',
  permission_requested = 'MuxPermissionRequested',
  permission_settled = 'MuxPermissionSettled',
}

--- The `data` of each event, and when it is emitted, for the help.
---@type table<mux.Event, { data: string, desc: string }>
M.descriptions = {
  MuxConnected = { data = '{}', desc = 'the daemon is connected, and the tasks are loaded' },
  MuxDisconnected = { data = '{}', desc = 'the connection to the daemon was lost' },
  MuxTaskChanged = { data = '{ task }', desc = 'a task was started or has changed' },
  MuxTaskDeleted = { data = '{ task }', desc = 'a task was deleted' },
  MuxTaskEnded = { data = '{ task }', desc = 'the last run of a task has ended' },
  MuxRunChanged = { data = '{ run, previous }', desc = 'the state, the result or a check of a run has changed' },
  MuxRunFinished = { data = '{ run }', desc = 'a run has finished' },
  MuxRunFailed = { data = '{ run }', desc = 'a run has failed' },
  MuxRunCancelled = { data = '{ run }', desc = 'a run was cancelled' },
  MuxRunInterrupted = { data = '{ run }', desc = 'a run was interrupted' },
  MuxRunOutput = { data = '{ run, stream, offset, text }', desc = 'the agent of a run has printed something' },
  MuxReviewChanged = { data = '{ uris, more }', desc = 'the changes to review in these documents may differ' },
  MuxPlacesChanged = { data = '{ buf }', desc = 'the drawn changes of a buffer differ' },
  MuxPermissionRequested = { data = '{ permission }', desc = 'an agent requests a permission' },
  MuxPermissionSettled = { data = '{ id, task, answer }', desc = 'a permission request was answered, or is obsolete' },
}

---@type table<mux.Event, fun(data: table)[]>
local listeners = {}

--- Subscribe to an event. Listeners run before the autocommands.
---@param name mux.Event
---@param listener fun(data: table)
function M.on(name, listener)
  listeners[name] = listeners[name] or {}
  table.insert(listeners[name], listener)
end

---@param name mux.Event
---@param data table
function M.emit(name, data)
  for _, listener in ipairs(listeners[name] or {}) do
    listener(data)
  end
  vim.api.nvim_exec_autocmds('User', { pattern = name, modeline = false, data = data })
end

return M
