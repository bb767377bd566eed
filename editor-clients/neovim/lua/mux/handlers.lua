--- Handle the notifications and requests of the daemon.
local events = require('mux.events')

---@type table<string, lsp.Handler>
local M = {}

M['workspace/applyEdit'] = function(_, params, ctx)
  return require('mux.edit').apply(params, ctx.client_id)
end

M['mux/taskChanged'] = function(_, params)
  require('mux.store').task_changed(params)
end

M['mux/runChanged'] = function(_, params)
  require('mux.store').run_changed(params)
end

M['mux/runOutput'] = function(_, params)
  events.emit(events.names.run_output, params)
end

M['mux/reviewChanged'] = function(_, params)
  require('mux.places').review_changed(params)
  events.emit(events.names.review_changed, params)
end

M['mux/limitReached'] = function(_, params)
  local notify = require('mux.notify')
  local show = params.stopped and notify.error or notify.warn
  show(params.message)
end

-- Not shown. Without a handler, Neovim would write each to its log.
M['mux/queueChanged'] = function() end
M['mux/verdictChanged'] = function() end

M['mux/permissionRequested'] = function(_, params)
  require('mux.store').permission_requested(params.permission)
end

M['mux/permissionSettled'] = function(_, params)
  require('mux.store').permission_settled(params)
end

M['workspace/textDocumentContent/refresh'] = function(_, params)
  require('mux.document').refresh(params.uri)
  return vim.NIL
end

return M
