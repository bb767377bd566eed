--- What agents ask leave for: a small window in the corner that takes neither the cursor nor a key, and the answer when
--- the person has the time.
local connection = require('mux.connection')
local events = require('mux.events')
local safe = require('mux.safe')
local store = require('mux.store')
local tell = require('mux.tell')

local M = {}

--- The answers there are, and what they mean.
---@type [string, string][]
M.answers = {
  { 'once', 'allow it this once' },
  { 'run', 'allow it for this run' },
  { 'task', 'allow it for this task' },
  { 'always', 'allow it in this repository from now on' },
  { 'refuse', 'refuse it' },
}

---@type integer?
local win

---@param permission mux.protocol.PermissionShape
---@return string[]
local function text_of(permission)
  local lines = { ('%s asks: %s'):format(table.concat(permission.runs, ', '), safe.line(permission.title)) }
  if not lines[1]:find(safe.line(permission.subject), 1, true) then
    local subject = safe.lines(permission.subject)
    vim.list_extend(lines, vim.list_slice(subject, 1, 5))
    if #subject > 5 then
      table.insert(lines, ('… and %d more lines: `mux-lsp list` shows all of it'):format(#subject - 5))
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
    return -- no other window may be opened or closed; it is looked at again when this one has gone
  end
  close()
  local open = store.permissions()
  if #open == 0 then
    return
  end
  require('mux.highlights').setup()
  local most = math.max(20, math.min(80, vim.o.columns - 6))
  local lines = vim.tbl_map(function(line)
    return safe.short(line, most)
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
  connection.ask('mux.permission.reply', { id = id, answer = answer, reason = reason })
end

--- Answer what is asked, the oldest first; with a menu if no answer is given.
---@param answer? string
---@param reason? string what the agent reads when it is refused
function M.answer(answer, reason)
  local permission = store.permissions()[1]
  if not permission then
    return tell.info('no agent asks for anything')
  end
  if answer then
    local known = vim.iter(M.answers):any(function(one)
      return one[1] == answer
    end)
    if not known then
      return tell.error('the answers are once, run, task, always and refuse')
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

--- Show what is asked from now on.
function M.setup()
  events.on(events.names.permission_requested, vim.schedule_wrap(show))
  events.on(events.names.permission_settled, vim.schedule_wrap(show))
  -- A window stands in one tab page, and where the corner was.
  vim.api.nvim_create_autocmd({ 'TabEnter', 'VimResized', 'CmdwinLeave' }, {
    group = vim.api.nvim_create_augroup('mux.permission', {}),
    callback = vim.schedule_wrap(show),
  })
end

return M
