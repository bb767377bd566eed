--- Show the daemon's read-only documents in buffers named by their `mux:` URIs: files of runs, diffs, transcripts and
--- comparisons. They are read again when the daemon reports a change.
local connection = require('mux.connection')
local repository = require('mux.repository')
local sanitize = require('mux.sanitize')
local store = require('mux.store')
local notify = require('mux.notify')

local M = {}

--- Return a path, percent-encoded for a URI.
---@param path string
---@return string
function M.encoded(path)
  return (path:gsub('[^%w%-._~/]', function(byte)
    return ('%%%02X'):format(byte:byte())
  end))
end

--- Return the run or the task of a document.
---@param uri string
---@return string?
function M.subject(uri)
  return uri:match('^mux:/%a+/([%w%-]+)')
end

--- Replace only the lines that differ, so that cursors and folds stay. A cursor on the last line follows the end.
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
  connection.request('mux.document.get', { uri = uri }, function(result, failure)
    if not vim.api.nvim_buf_is_valid(buf) then
      return
    end
    if failure then
      return notify.error(failure)
    end
    local text = (result.text:gsub('\r\n', '\n'):gsub('\n$', ''))
    replace(buf, vim.split(text, '\n', { plain = true }))
    local filetype = filetype_of(uri, result.language)
    if filetype and vim.bo[buf].filetype ~= filetype then
      vim.bo[buf].filetype = filetype
    end
  end)
end

--- Return whether a document is a transcript or a comparison, not the text of a file.
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
  vim.bo[buf].bufhidden = 'wipe' -- a hidden document need not be updated
  vim.bo[buf].swapfile = false
  vim.bo[buf].modeline = false -- an agent may have written it
  vim.bo[buf].undolevels = -1
  vim.bo[buf].modifiable = false
  require('mux.window_keys').map(buf, is_about_runs(uri) and 'document' or 'diff')
  fetch(buf, uri)
end

--- Read a document again after the daemon reported a change.
---@param uri string
function M.refresh(uri)
  local buf = vim.fn.bufnr('^' .. vim.fn.escape(uri, '*?,{}[]\\') .. '$')
  if buf > 0 and vim.api.nvim_buf_is_loaded(buf) then
    fetch(buf, uri)
  end
end

--- Return the first window of this tab page whose buffer's name matches.
---@param matches fun(name: string): boolean
---@return integer?
local function find_window(matches)
  return vim.iter(vim.api.nvim_tabpage_list_wins(0)):find(function(win)
    return matches(vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(win)))
  end)
end

--- Show a document in the window that already shows it, else in a new one.
---@param uri string
---@param split string the command that opens the window
function M.open(uri, split)
  local name = sanitize.line(uri)
  local win = find_window(function(other)
    return other == name
  end)
  if win then
    vim.api.nvim_set_current_win(win)
  else
    vim.cmd(('%s %s'):format(split, vim.fn.fnameescape(name)))
    -- Show the whole text: an agent may write Markdown whose parts Neovim would conceal.
    vim.wo[0][0].conceallevel = 0
  end
end

--- Show a transcript or a comparison: all of them share one window.
---@param uri string
local function open_shared(uri)
  local win = find_window(is_about_runs)
  if win then
    vim.api.nvim_set_current_win(win)
  end
  M.open(uri, win and 'edit' or require('mux.config').get().documents.split .. ' split')
end

--- Show the transcript of a run.
---@param run string
function M.transcript(run)
  open_shared(('mux:/transcript/%s.md'):format(run))
end

--- Show the runs of a task side by side.
---@param task string
function M.compare(task)
  open_shared(('mux:/compare/%s.md'):format(task))
  vim.wo[0][0].wrap = false -- a comparison consists of tables
end

-- The daemon reports no changes of documents that an earlier connection read: read them again.
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
