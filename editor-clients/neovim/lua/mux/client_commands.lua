--- The commands of code lenses and code actions that the client carries out.
---@type table<string, fun(command: lsp.Command)>
local M = {}

---@param command lsp.Command
---@return any
local function argument_of(command)
  return assert(command.arguments)[1]
end

M['mux.client.diff'] = function(command)
  local change = argument_of(command) --[[@as mux.protocol.ClientDiffParams]]
  require('mux.document').open(change.diff, 'botright split')
end

M['mux.client.merge'] = function(command)
  local change = argument_of(command) --[[@as mux.protocol.ClientMergeParams]]
  require('mux.diff').merge(change)
end

return M
