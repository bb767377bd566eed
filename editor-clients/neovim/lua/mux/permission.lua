--- Show permission requests of agents in a small window in the corner, which takes neither the cursor nor keys, and answer
--- them.
local connection = require('mux.connection')
local events = require('mux.events')
local sanitize = require('mux.sanitize')
local store = require('mux.store')
local notify = require('mux.notify')

local M = {}

--- The possible answers, with their text in the menu.
---@type [string, string][]
M.answers = {
  { 'once', 'allow once' },
  { 'run', 'allow for this run' },
  { 'task', 'allow for this task' },
  { 'always', 'always allow in this repository' },
  { 'refuse', 'refuse' },
}

--- Maximum lines of a request in the window.
local MAX_LINES = 5

---@type integer?
local win

---@param permission mux.protocol.PermissionShape
---@return string[]
local function text_of(permission)
  local lines = { ('%s asks: %s'):format(table.concat(permission.runs, ', '), sanitize.line(permission.title)) }
  if not lines[1]:find(sanitize.line(permission.subject), 1, true) then
    local subject = sanitize.lines(permission.subject)
    vim.list_extend(lines, vim.list_slice(subject, 1, MAX_LINES))
    if #subject > MAX_LINES then
      table.insert(lines, ('… and %d more lines: `mux-lsp list` shows all'):format(#subject - MAX_LINES))
    end
  end
  return lines
end

local function close()
  if win and vim.api.nvim_win_is_valid(win) then
    vim.api.nvim_win_close(win, true)
  end
  win = nil
end

local function show()
  if vim.fn.getcmdwintype() ~= '' then
    return -- the command-line window allows no other window: `CmdwinLeave` shows the request
  end
  close()
  local open = store.permissions()
  if #open == 0 then
    return
  end
  require('mux.highlights').setup()
  local max_width = math.max(20, math.min(80, vim.o.columns - 6))
  local lines = vim.tbl_map(function(line)
    return sanitize.short(line, max_width)
  end, text_of(open[1]))
  table.insert(lines, (':Mux permission answers%s'):format(#open > 1 and (', and %d more'):format(#open - 1) or ''))
  local width = 1
  for _, line in ipairs(lines) do
    width = math.max(width, vim.api.nvim_strwidth(line))
  end
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = 'wipe'
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  win = vim.api.nvim_open_win(buf, false, {
    relative = 'editor',
    anchor = 'NE',
    row = 1,
    col = vim.o.columns - 1,
    width = width,
    height = #lines,
    style = 'minimal',
    border = 'rounded',
    title = ' mux ',
    focusable = false,
    noautocmd = true,
    zindex = 60,
  })
  vim.wo[win].winhighlight = 'Normal:MuxPermission,FloatBorder:MuxPermissionBorder'
end

---@param id string
---@param answer string
---@param reason? string
local function reply(id, answer, reason)
  connection.call('mux.permission.reply', { id = id, answer = answer, reason = reason })
end

--- Answer the oldest request; without an answer, let the person choose one from a menu.
---@param answer? string
---@param reason? string the reason of a refusal, for the agent
function M.answer(answer, reason)
  local permission = store.permissions()[1]
  if not permission then
    return notify.info('there is no permission request')
  end
  if answer then
    local known = vim.iter(M.answers):any(function(one)
      return one[1] == answer
    end)
    if not known then
      return notify.error('the answer must be once, run, task, always or refuse')
    end
    return reply(permission.id, answer, reason)
  end
  vim.ui.select(M.answers, {
    prompt = table.concat(text_of(permission), ' · '),
    kind = 'mux.permission',
    format_item = function(one)
      return one[2]
    end,
  }, function(one)
    if one then
      reply(permission.id, one[1])
    end
  end)
end

--- Show requests from now on.
function M.setup()
  events.on(events.names.permission_requested, vim.schedule_wrap(show))
  events.on(events.names.permission_settled, vim.schedule_wrap(show))
  -- A window belongs to one tab page, and does not move with the corner.
  vim.api.nvim_create_autocmd({ 'TabEnter', 'VimResized', 'CmdwinLeave' }, {
    group = vim.api.nvim_create_augroup('mux.permission', {}),
    callback = vim.schedule_wrap(show),
  })
end

return M
