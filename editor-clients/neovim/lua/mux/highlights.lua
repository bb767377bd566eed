--- Define the highlight groups. Each links to a standard group, unless the colour scheme defines it.
local M = {}

--- Every group, the group that it links to, and its use.
---@type { name: string, link: string, desc: string }[]
M.groups = {
  { name = 'MuxAdd', link = 'DiffAdd', desc = 'inserted lines' },
  { name = 'MuxDelete', link = 'DiffDelete', desc = 'removed lines' },
  { name = 'MuxAddText', link = 'DiffText', desc = 'the differing part of an inserted line' },
  { name = 'MuxDeleteText', link = 'DiffText', desc = 'the differing part of a removed line' },
  { name = 'MuxConflict', link = 'DiffChange', desc = 'lines that a change conflicts with' },
  { name = 'MuxConflictAdd', link = 'DiffText', desc = 'inserted lines of a change in conflict' },
  { name = 'MuxLabel', link = 'Comment', desc = 'the run and the agent of a change, after its first line' },
  { name = 'MuxReason', link = 'DiagnosticWarn', desc = 'the reason of a conflict' },
  { name = 'MuxSignAdd', link = 'Added', desc = 'the sign beside inserted lines' },
  { name = 'MuxSignChange', link = 'Changed', desc = 'the sign beside changed lines' },
  { name = 'MuxSignDelete', link = 'Removed', desc = 'the sign beside removed lines' },
  { name = 'MuxSignConflict', link = 'DiagnosticWarn', desc = 'the sign beside a conflict' },
  { name = 'MuxTask', link = 'Title', desc = 'a task in the tasks window' },
  { name = 'MuxRun', link = 'Identifier', desc = 'the id of a run' },
  { name = 'MuxAgent', link = 'Constant', desc = 'the name of an agent' },
  { name = 'MuxBusy', link = 'DiagnosticInfo', desc = 'the state of a running run' },
  { name = 'MuxWaiting', link = 'DiagnosticWarn', desc = 'the state of a run that waits for a person' },
  { name = 'MuxDone', link = 'DiagnosticOk', desc = 'the state of a finished run, passed checks' },
  { name = 'MuxFailed', link = 'DiagnosticError', desc = 'the state of a failed run, failed checks' },
  { name = 'MuxEnded', link = 'Comment', desc = 'the state of a queued, cancelled or interrupted run' },
  { name = 'MuxPermission', link = 'NormalFloat', desc = 'the window of permission requests' },
  { name = 'MuxPermissionBorder', link = 'DiagnosticWarn', desc = 'the border of the window of permission requests' },
}

local function define()
  for _, group in ipairs(M.groups) do
    vim.api.nvim_set_hl(0, group.name, { link = group.link, default = true })
  end
end

local defined = false

--- Define the groups, now and after each change of the colour scheme.
function M.setup()
  if defined then
    return
  end
  defined = true
  define()
  vim.api.nvim_create_autocmd('ColorScheme', {
    group = vim.api.nvim_create_augroup('mux.highlights', {}),
    callback = define,
  })
end

return M
