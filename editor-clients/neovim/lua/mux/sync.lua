--- The texts of attached buffers, told to the daemon as lines that changed. Neovim would tell them too, but for that it
--- copies all lines of a buffer at each key.
local timers = require('mux.timers')

local M = {}

--- Milliseconds after the last change until all is told that nothing else has taken along.
local DELAY = 150

local ENDINGS = { unix = '\n', dos = '\r\n', mac = '\r' }

--- What the daemon has of a buffer.
---@class mux.Told
---@field count integer its lines
---@field ending string what ends a line
---@field ended boolean whether it ends the last one too
---@field empty boolean whether there is nothing at all
---@field plain boolean whether the lines that it counts are those of the buffer
---@field span mux.Span? what is others by now

--- Lines from 0, each end without it: `first` up to `was` as the daemon has them are `first` up to `is` here.
---@class mux.Span
---@field first integer
---@field was integer
---@field is integer

---@type table<integer, mux.Told>
local told = {}
---@type table<integer, true> the buffers that are listened to
local heard = {}
---@type fun(method: string, params: table)? says something over the connection that there is
local say
---@type mux.Timer?
local timer

---@param buf integer
---@return string
local function ending_of(buf)
  return ENDINGS[vim.bo[buf].fileformat] or '\n'
end

--- Whether a text that is so many lines to Neovim is as many to the daemon, for which a carriage return ends one too.
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
      return (line:gsub('\r', '\n')) -- as it would be written
    end, lines)
  end
  local text = table.concat(lines, ending)
  local goes_on = #lines > 0 and (vim.bo[buf].eol or last < vim.api.nvim_buf_line_count(buf))
  return goes_on and text .. ending or text
end

--- Whether nothing at all would be written of a buffer, which has a line all the same.
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
---@param text string all of it, as the daemon is told it
local function remember(buf, text)
  local count, ending = vim.api.nvim_buf_line_count(buf), ending_of(buf)
  told[buf] = {
    count = count,
    ending = ending,
    ended = vim.bo[buf].eol,
    empty = M.is_empty(buf),
    plain = is_plain(text, count, ending),
  }
end

--- Whether there is a change that is none of lines, of which Neovim says nothing.
---@param buf integer
---@param known mux.Told
---@return boolean
local function has_other_ends(buf, known)
  return known.ending ~= ending_of(buf) or known.ended ~= vim.bo[buf].eol or known.empty ~= M.is_empty(buf)
end

--- The change that makes of what the daemon has what is in the buffer.
---@param buf integer
---@param known mux.Told
---@return lsp.TextDocumentContentChangeEvent
local function change_of(buf, known)
  local count = vim.api.nvim_buf_line_count(buf)
  local span = known.span
  local usual = known.plain and not has_other_ends(buf, known)
  if span and usual and known.count - span.was == count - span.is then
    local text = lines_of(buf, span.first, span.is)
    if is_plain(text, span.is - span.first, known.ending) then
      known.count, known.span = count, nil
      local from, to = { line = span.first, character = 0 }, { line = span.was, character = 0 }
      return { range = { start = from, ['end'] = to }, text = text }
    end
  end
  -- Anything unusual: the whole text is right whatever it was.
  local text = text_of(buf)
  remember(buf, text)
  return { text = text }
end

--- Whether the lines of a buffer, as it is told, are the daemon's lines too.
---@param buf integer
---@return boolean
function M.has_same_lines(buf)
  local known = told[buf]
  return not known or known.plain or M.is_empty(buf) or is_plain(lines_of(buf, 0, -1), known.count, known.ending)
end

--- Tell what is not told yet.
function M.flush()
  for buf, known in pairs(told) do
    if say and vim.api.nvim_buf_is_loaded(buf) and (known.span or has_other_ends(buf, known)) then
      local change = change_of(buf, known)
      say('textDocument/didChange', {
        textDocument = { uri = vim.uri_from_bufnr(buf), version = vim.lsp.util.buf_versions[buf] },
        contentChanges = { change },
      })
    end
  end
end

local flush_soon = vim.schedule_wrap(M.flush)

---@param known mux.Told
---@param first integer
---@param last integer
---@param new_last integer
local function changed(known, first, last, new_last)
  timer = timer or timers.new()
  timer:start(DELAY, 0, flush_soon)
  local span = known.span
  if not span then
    known.span = { first = first, was = last, is = new_last }
    return
  end
  local behind = math.max(last, span.is)
  span.first = math.min(first, span.first)
  span.was = behind - (span.is - span.was)
  span.is = behind + new_last - last
end

---@param buf integer
local function listen(buf)
  if heard[buf] then
    return
  end
  heard[buf] = true
  vim.api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, last, new_last)
      local known = told[buf]
      if known then
        changed(known, first, last, new_last)
      end
    end,
    on_detach = function()
      heard[buf], told[buf] = nil, nil
    end,
    on_reload = function() end, -- without it the buffer would be let go of
  })
end

---@param document lsp.TextDocumentItem
local function opened(document)
  local buf = vim.uri_to_bufnr(document.uri)
  if vim.api.nvim_buf_is_loaded(buf) then
    document.text = text_of(buf)
    remember(buf, document.text)
    listen(buf)
  end
end

--- Have a connection take along what was typed with everything that is said over it.
---@param rpc vim.lsp.rpc.PublicClient
function M.follow(rpc)
  local request, notify = rpc.request, rpc.notify
  told = {}
  say = notify
  ---@diagnostic disable-next-line: duplicate-set-field
  rpc.request = function(...)
    M.flush()
    return request(...)
  end
  ---@diagnostic disable-next-line: duplicate-set-field
  rpc.notify = function(method, params)
    M.flush()
    if method == 'textDocument/didOpen' then
      opened(params.textDocument)
    elseif method == 'textDocument/didClose' then
      told[vim.uri_to_bufnr(params.textDocument.uri)] = nil
    end
    return notify(method, params)
  end
end

return M
