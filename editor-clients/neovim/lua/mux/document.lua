--- The daemon's read-only documents as buffers, under their `mux:` URIs: files as runs have them, diffs, transcripts,
--- comparisons. They are read again when the daemon says that they have changed.
local connection = require('mux.connection')
local repository = require('mux.repository')
local safe = require('mux.safe')
local store = require('mux.store')
local tell = require('mux.tell')

local M = {}

--- A path as it stands in a URI.
---@param path string
---@return string
function M.encoded(path)
  return (path:gsub('[^%w%-._~/]', function(sign)
    return ('%%%02X'):format(sign:byte())
  end))
end

--- The run or the task that a document is about.
---@param uri string
---@return string?
function M.subject(uri)
  return uri:match('^mux:/%a+/([%w%-]+)')
end

--- Replace what is different, so that cursors and folds stay where they are. Who was at the end stays at the end.
---@param buf integer
---@param lines string[]
local function replace(buf, lines)
  local before = vim.api.nvim_buf_get_lines(buf, 0, -1, false)
  local first = 0
  while first < #before and first < #lines and before[first + 1] == lines[first + 1] do
    first = first + 1
  end
  local same = 0
  while same < #before - first and same < #lines - first and before[#before - same] == lines[#lines - same] do
    same = same + 1
  end
  local following = vim.tbl_filter(function(win)
    return #before > 1 and vim.api.nvim_win_get_cursor(win)[1] == #before
  end, vim.fn.win_findbuf(buf))
  vim.bo[buf].modifiable = true
  vim.api.nvim_buf_set_lines(buf, first, #before - same, false, vim.list_slice(lines, first + 1, #lines - same))
  vim.bo[buf].modifiable = false
  vim.bo[buf].modified = false
  for _, win in ipairs(following) do
    vim.api.nvim_win_set_cursor(win, { #lines, 0 })
  end
end

---@param uri string
---@param language string?
---@return string?
local function filetype_of(uri, language)
  return language or vim.filetype.match({ filename = vim.uri_decode((uri:gsub('%?.*$', ''))) })
end

---@param buf integer
---@param uri string
local function fetch(buf, uri)
  connection.request('mux.document.get', { uri = uri }, function(answer, failure)
    if not vim.api.nvim_buf_is_valid(buf) then
      return
    end
    if failure then
      return tell.error(failure)
    end
    local text = (answer.text:gsub('\r\n', '\n'):gsub('\n$', ''))
    replace(buf, vim.split(text, '\n', { plain = true }))
    local filetype = filetype_of(uri, answer.language)
    if filetype and vim.bo[buf].filetype ~= filetype then
      vim.bo[buf].filetype = filetype
    end
  end)
end

--- Whether a document is about runs, and not a file's text.
---@param uri string
---@return boolean
local function is_about_runs(uri)
  return uri:find('^mux:/transcript/') ~= nil or uri:find('^mux:/compare/') ~= nil
end

--- Fill a buffer with a document, for `BufReadCmd`.
---@param buf integer
---@param uri string
function M.read(buf, uri)
  if uri == require('mux.tasks').NAME then
    return require('mux.tasks').read(buf)
  end
  local task = store.task(store.task_of(M.subject(uri) or ''))
  vim.b[buf].mux_root = task and repository.path(task.repository) or nil
  vim.bo[buf].buftype = 'nofile'
  vim.bo[buf].bufhidden = 'wipe' -- nobody follows what nobody sees
  vim.bo[buf].swapfile = false
  vim.bo[buf].modeline = false -- an agent may have written it
  vim.bo[buf].undolevels = -1
  vim.bo[buf].modifiable = false
  require('mux.keys').map(buf, is_about_runs(uri) and 'document' or 'diff')
  fetch(buf, uri)
end

--- The daemon has another text for a document.
---@param uri string
function M.refresh(uri)
  local buf = vim.fn.bufnr('^' .. vim.fn.escape(uri, '*?,{}[]\\') .. '$')
  if buf > 0 and vim.api.nvim_buf_is_loaded(buf) then
    fetch(buf, uri)
  end
end

--- A window of this tab page with a document in it that is `wanted`.
---@param wanted fun(name: string): boolean
---@return integer?
local function window(wanted)
  return vim.iter(vim.api.nvim_tabpage_list_wins(0)):find(function(win)
    return wanted(vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(win)))
  end)
end

--- Show a document in a window: in one that shows it already, else in a new one.
---@param uri string
---@param split string the command that opens the window
function M.open(uri, split)
  local name = safe.line(uri)
  local win = window(function(other)
    return other == name
  end)
  if win then
    vim.api.nvim_set_current_win(win)
  else
    vim.cmd(('%s %s'):format(split, vim.fn.fnameescape(name)))
    -- What stands there is what is seen: nothing is hidden by what an agent writes.
    vim.wo[0][0].conceallevel = 0
  end
end

--- The same, of a document about runs: they take turns in one window.
---@param uri string
local function open_in_turn(uri)
  local win = window(is_about_runs)
  if win then
    vim.api.nvim_set_current_win(win)
  end
  M.open(uri, win and 'edit' or require('mux.config').get().documents.split .. ' split')
end

--- Show what a run said and did.
---@param run string
function M.transcript(run)
  open_in_turn(('mux:/transcript/%s.md'):format(run))
end

--- Show the runs of a task side by side.
---@param task string
function M.compare(task)
  open_in_turn(('mux:/compare/%s.md'):format(task))
  vim.wo[0][0].wrap = false -- it is made of tables
end

-- What was read over a connection that has gone is followed by nobody: it is read again.
local events = require('mux.events')
events.on(events.names.connected, function()
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    local name = vim.api.nvim_buf_get_name(buf)
    if name:find('^mux:/%a+/') and vim.api.nvim_buf_is_loaded(buf) then
      fetch(buf, name)
    end
  end
end)

return M
