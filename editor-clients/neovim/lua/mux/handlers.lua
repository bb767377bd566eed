--- What the daemon says by itself.
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
  local tell = require('mux.tell')
  local say = params.stopped and tell.error or tell.warn
  say(params.message)
end

-- Nothing is shown of these; without a handler Neovim would note each in its log.
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
