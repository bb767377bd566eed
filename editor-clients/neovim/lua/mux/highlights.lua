--- The highlight groups. Each is linked to a standard one, and a colour scheme may have its own.
local M = {}

--- Every group, what it is linked to and what it is for.
---@type { name: string, link: string, what: string }[]
M.groups = {
  { name = 'MuxAdd', link = 'DiffAdd', what = 'lines that would come' },
  { name = 'MuxDelete', link = 'DiffDelete', what = 'lines that would go' },
  { name = 'MuxAddText', link = 'DiffText', what = 'what is different in a line that would come' },
  { name = 'MuxDeleteText', link = 'DiffText', what = 'what is different in a line that would go' },
  { name = 'MuxConflict', link = 'DiffChange', what = 'lines that a change collides with' },
  { name = 'MuxConflictAdd', link = 'DiffText', what = 'lines that would come, but collide' },
  { name = 'MuxLabel', link = 'Comment', what = 'whose change it is, behind a line' },
  { name = 'MuxReason', link = 'DiagnosticWarn', what = 'why a change is in conflict' },
  { name = 'MuxSignAdd', link = 'Added', what = 'the sign beside lines that would come' },
  { name = 'MuxSignChange', link = 'Changed', what = 'the sign beside lines that would be others' },
  { name = 'MuxSignDelete', link = 'Removed', what = 'the sign beside lines that would go' },
  { name = 'MuxSignConflict', link = 'DiagnosticWarn', what = 'the sign beside a conflict' },
  { name = 'MuxTask', link = 'Title', what = 'a task in the tasks window' },
  { name = 'MuxRun', link = 'Identifier', what = "a run's id" },
  { name = 'MuxAgent', link = 'Constant', what = "an agent's name" },
  { name = 'MuxBusy', link = 'DiagnosticInfo', what = 'the state of a run that works' },
  { name = 'MuxWaiting', link = 'DiagnosticWarn', what = 'the state of a run that waits for a person' },
  { name = 'MuxDone', link = 'DiagnosticOk', what = 'the state of a run that finished, a check that passed' },
  { name = 'MuxFailed', link = 'DiagnosticError', what = 'the state of a run that failed, a check that failed' },
  { name = 'MuxEnded', link = 'Comment', what = 'the state of a run that was cancelled or interrupted' },
  { name = 'MuxPermission', link = 'NormalFloat', what = 'the window of what an agent asks leave for' },
  { name = 'MuxPermissionBorder', link = 'DiagnosticWarn', what = 'its border' },
}

local function define()
  for _, group in ipairs(M.groups) do
    vim.api.nvim_set_hl(0, group.name, { link = group.link, default = true })
  end
end

local defined = false

--- Define what is not defined, now and after each change of the colour scheme.
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
