--- Edits that the daemon sends: applied whole, to the very texts that they are for, or refused with the reason.
local safe = require('mux.safe')
local sync = require('mux.sync')

local M = {}

--- Whether the next edits are one undo with the one before.
local joined = false

--- Have the edits that come be one undo with the first of them, until it is said otherwise.
---@param together boolean
function M.join(together)
  joined = together
end

---@param change table a `TextDocumentEdit`
---@return integer? buf the loaded buffer that it is for
local function loaded(change)
  local buf = vim.uri_to_bufnr(change.textDocument.uri)
  return vim.api.nvim_buf_is_loaded(buf) and buf or nil
end

---@param operation table of a file
---@return string? reason
local function file_refusal(operation)
  -- Neovim has a new name in a command, which would end there and another begin.
  if operation.kind == 'rename' and vim.uri_to_fname(operation.newUri):find('\n') then
    local name = safe.line(vim.fn.fnamemodify(vim.uri_to_fname(operation.oldUri), ':~:.'))
    return ('%s has a line end in its new name: use mux-lsp accept in a terminal'):format(name)
  end
end

---@param buf integer
---@param version any
---@return string? reason
local function refusal(buf, version)
  local name = safe.line(vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buf), ':~:.'))
  if not vim.bo[buf].modifiable then
    return ("%s cannot be changed: its buffer has 'nomodifiable'"):format(name)
  end
  if not sync.has_same_lines(buf) then
    return ('%s has carriage returns within lines: use mux-lsp accept in a terminal'):format(name)
  end
  if type(version) == 'number' and vim.lsp.util.buf_versions[buf] ~= version then
    return ('%s was changed meanwhile: try again'):format(name)
  end
end

---@param buf integer
---@param join boolean
local function begin_undo(buf, join)
  vim.api.nvim_buf_call(buf, function()
    if not (join and pcall(vim.cmd.undojoin)) then
      vim.cmd('let &l:undolevels = &l:undolevels')
    end
  end)
end

--- The lines of a text as a buffer has them, and whether the last of them is ended.
---@param buf integer
---@param text string
---@return string[]
---@return boolean
local function lines_of(buf, text)
  local lines = vim.split(text, ({ dos = '\r?\n', mac = '\r' })[vim.bo[buf].fileformat] or '\n')
  local ended = lines[#lines] == ''
  if ended then
    table.remove(lines)
  end
  return lines, ended
end

--- Replace whole lines, to the byte: Neovim's own function would have carriage returns go, and empty lines come. The end
--- of the last line is no part of a buffer's text, but an option.
---@param buf integer
---@param one lsp.TextEdit
local function replace_lines(buf, one)
  local lines, ended = lines_of(buf, one.newText)
  local count = sync.is_empty(buf) and 0 or vim.api.nvim_buf_line_count(buf)
  local first, last = one.range.start, one.range['end']
  local stop = last.line + (last.character > 0 and 1 or 0)
  if stop >= count then
    stop = -1 -- in an empty buffer there is a line all the same
    if #lines > 0 or first.line > 0 then
      vim.bo[buf].eol = ended
    end
  end
  vim.api.nvim_buf_set_lines(buf, first.line, stop, false, lines)
end

--- The texts are changed from the end on, so that what is in front stays where it is.
---@param buf integer
---@param edits lsp.TextEdit[]
local function change(buf, edits)
  for number = #edits, 1, -1 do
    replace_lines(buf, assert(edits[number]))
  end
end

---@param operation table of a file: `create`, `rename` or `delete`
---@param encoding any
local function change_file(operation, encoding)
  local buf = operation.kind == 'create' and vim.uri_to_bufnr(operation.uri)
  if buf and vim.api.nvim_buf_is_loaded(buf) then
    -- It comes to be when its buffer is written.
    vim.fn.mkdir(vim.fs.dirname(vim.uri_to_fname(operation.uri)), 'p')
  else
    vim.lsp.util.apply_workspace_edit({ documentChanges = { operation } }, encoding)
  end
end

---@param one table a `TextDocumentEdit`
local function change_text(one)
  local buf = vim.uri_to_bufnr(one.textDocument.uri)
  if not vim.api.nvim_buf_is_loaded(buf) then
    vim.fn.bufload(buf)
  end
  vim.bo[buf].buflisted = true
  begin_undo(buf, joined)
  change(buf, one.edits)
end

--- Carry out `workspace/applyEdit`.
---@param params lsp.ApplyWorkspaceEditParams
---@param client_id integer
---@return lsp.ApplyWorkspaceEditResult
function M.apply(params, client_id)
  local client = assert(vim.lsp.get_client_by_id(client_id))
  sync.flush()
  local touched = {} ---@type integer[]
  for _, one in ipairs(params.edit.documentChanges or {}) do
    local buf = not one.kind and loaded(one)
    local reason = buf and refusal(buf, one.textDocument.version) or one.kind and file_refusal(one)
    if reason then
      return { applied = false, failureReason = reason }
    end
    if buf then
      table.insert(touched, buf)
    end
  end
  local done, failure = pcall(function()
    for _, one in ipairs(params.edit.documentChanges or {}) do
      if one.kind then
        change_file(one, client.offset_encoding)
      else
        change_text(one)
      end
    end
  end)
  for _, buf in ipairs(touched) do
    require('mux.places').refresh_now(buf)
  end
  return { applied = done, failureReason = not done and safe.line(tostring(failure)) or nil }
end

return M
