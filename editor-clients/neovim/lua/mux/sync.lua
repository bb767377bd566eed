--- Send the changed lines of attached buffers to the daemon. Neovim could send them too, but for that it copies all lines of
--- a buffer at each key.
local timers = require('mux.timers')

local M = {}

--- Milliseconds after the last change before changes are sent, unless a request has sent them before.
local DELAY = 150

local ENDINGS = { unix = '\n', dos = '\r\n', mac = '\r' }

--- The text of a buffer as the daemon has it.
---@class mux.Synced
---@field count integer number of lines
---@field ending string the line end
---@field ended boolean whether the last line has a line end
---@field empty boolean whether the text is empty
---@field plain boolean whether the daemon counts the same lines as Neovim
---@field span mux.Span? the lines changed since

--- Changed lines, from 0, ends excluded: `first` to `was` in the daemon's text are `first` to `is` in the buffer.
---@class mux.Span
---@field first integer
---@field was integer
---@field is integer

---@type table<integer, mux.Synced>
local synced = {}
---@type table<integer, true> the buffers with listeners
local listening = {}
---@type fun(method: string, params: table)? sends a notification over the current connection
local send
---@type mux.Timer?
local timer

---@param buf integer
---@return string
local function ending_of(buf)
  return ENDINGS[vim.bo[buf].fileformat] or '\n'
end

--- Return whether a text has the same lines for the daemon, where a carriage return ends a line too, as for Neovim.
---@param text string
---@param count integer
---@param ending string
---@return boolean
local function is_plain(text, count, ending)
  local _, ends = text:gsub(ending, '')
  if ending == '\r' then
    return ends == count and not text:find('\n')
  end
  local _, feeds = text:gsub('\n', '')
  return ends == count and feeds == count and not text:find('\r[^\n]') and text:sub(-1) ~= '\r'
end

---@param buf integer
---@param first integer
---@param last integer
---@return string
local function lines_of(buf, first, last)
  local ending = ending_of(buf)
  local lines = vim.api.nvim_buf_get_lines(buf, first, last, false)
  if ending == ENDINGS.mac then
    lines = vim.tbl_map(function(line)
      return (line:gsub('\r', '\n')) -- as Neovim would write it
    end, lines)
  end
  local text = table.concat(lines, ending)
  local goes_on = #lines > 0 and (vim.bo[buf].eol or last < vim.api.nvim_buf_line_count(buf))
  return goes_on and text .. ending or text
end

--- Return whether a buffer would be written as an empty file. It still has one line.
---@param buf integer
---@return boolean
function M.is_empty(buf)
  if vim.api.nvim_buf_line_count(buf) > 1 or vim.api.nvim_buf_get_lines(buf, 0, 1, false)[1] ~= '' then
    return false
  end
  return vim.api.nvim_buf_call(buf, vim.fn.wordcount).bytes == 0
end

---@param buf integer
---@return string
local function text_of(buf)
  return M.is_empty(buf) and '' or lines_of(buf, 0, vim.api.nvim_buf_line_count(buf))
end

---@param buf integer
---@param text string the whole text, as sent
local function remember(buf, text)
  local count, ending = vim.api.nvim_buf_line_count(buf), ending_of(buf)
  synced[buf] = {
    count = count,
    ending = ending,
    ended = vim.bo[buf].eol,
    empty = M.is_empty(buf),
    plain = is_plain(text, count, ending),
  }
end

--- Return whether the line ends have changed, for which Neovim sends no event.
---@param buf integer
---@param known mux.Synced
---@return boolean
local function have_ends_changed(buf, known)
  return known.ending ~= ending_of(buf) or known.ended ~= vim.bo[buf].eol or known.empty ~= M.is_empty(buf)
end

--- Return the change from the daemon's text to that of the buffer.
---@param buf integer
---@param known mux.Synced
---@return lsp.TextDocumentContentChangeEvent
local function change_of(buf, known)
  local count = vim.api.nvim_buf_line_count(buf)
  local span = known.span
  local usual = known.plain and not have_ends_changed(buf, known)
  if span and usual and known.count - span.was == count - span.is then
    local text = lines_of(buf, span.first, span.is)
    if is_plain(text, span.is - span.first, known.ending) then
      known.count, known.span = count, nil
      local from, to = { line = span.first, character = 0 }, { line = span.was, character = 0 }
      return { range = { start = from, ['end'] = to }, text = text }
    end
  end
  -- In unusual cases, send the whole text, which is always correct.
  local text = text_of(buf)
  remember(buf, text)
  return { text = text }
end

--- Return whether the daemon counts the same lines in a buffer as Neovim.
---@param buf integer
---@return boolean
function M.has_same_lines(buf)
  local known = synced[buf]
  return not known or known.plain or M.is_empty(buf) or is_plain(lines_of(buf, 0, -1), known.count, known.ending)
end

--- Send all changes that were not sent yet.
function M.flush()
  for buf, known in pairs(synced) do
    if send and vim.api.nvim_buf_is_loaded(buf) and (known.span or have_ends_changed(buf, known)) then
      local change = change_of(buf, known)
      send('textDocument/didChange', {
        textDocument = { uri = vim.uri_from_bufnr(buf), version = vim.lsp.util.buf_versions[buf] },
        contentChanges = { change },
      })
    end
  end
end

local flush_soon = vim.schedule_wrap(M.flush)

---@param known mux.Synced
---@param first integer
---@param last integer
---@param new_last integer
local function on_change(known, first, last, new_last)
  timer = timer or timers.new()
  timer:start(DELAY, 0, flush_soon)
  local span = known.span
  if not span then
    known.span = { first = first, was = last, is = new_last }
    return
  end
  local stop = math.max(last, span.is)
  span.first = math.min(first, span.first)
  span.was = stop - (span.is - span.was)
  span.is = stop + new_last - last
end

---@param buf integer
local function listen(buf)
  if listening[buf] then
    return
  end
  listening[buf] = true
  vim.api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, last, new_last)
      local known = synced[buf]
      if known then
        on_change(known, first, last, new_last)
      end
    end,
    on_detach = function()
      listening[buf], synced[buf] = nil, nil
    end,
    on_reload = function() end, -- without it, Neovim detaches on reload
  })
end

---@param document lsp.TextDocumentItem
local function on_open(document)
  local buf = vim.uri_to_bufnr(document.uri)
  if vim.api.nvim_buf_is_loaded(buf) then
    document.text = text_of(buf)
    remember(buf, document.text)
    listen(buf)
  end
end

--- Send pending changes before every message of a connection.
---@param rpc vim.lsp.rpc.PublicClient
function M.follow(rpc)
  local request, notify = rpc.request, rpc.notify
  synced = {}
  send = notify
  ---@diagnostic disable-next-line: duplicate-set-field
  rpc.request = function(...)
    M.flush()
    return request(...)
  end
  ---@diagnostic disable-next-line: duplicate-set-field
  rpc.notify = function(method, params)
    M.flush()
    if method == 'textDocument/didOpen' then
      on_open(params.textDocument)
    elseif method == 'textDocument/didClose' then
      synced[vim.uri_to_bufnr(params.textDocument.uri)] = nil
    end
    return notify(method, params)
  end
end

return M
