--- Apply the daemon's workspace edits: completely and to exactly the text versions that they are for, or refuse them.
local sanitize = require('mux.sanitize')
local sync = require('mux.sync')

local M = {}

--- True if the next edits join the undo block of the previous ones.
local joined = false

--- Set whether the following edits join the undo block of the previous ones.
---@param together boolean
function M.join(together)
  joined = together
end

---@param change table a `TextDocumentEdit`
---@return integer? buf its buffer, if loaded
local function loaded_buffer(change)
  local buf = vim.uri_to_bufnr(change.textDocument.uri)
  return vim.api.nvim_buf_is_loaded(buf) and buf or nil
end

---@param operation table a file operation
---@return string? reason
local function file_refusal(operation)
  -- Neovim puts the new name into a command: a line end would start another command.
  if operation.kind == 'rename' and vim.uri_to_fname(operation.newUri):find('\n') then
    local name = sanitize.line(vim.fn.fnamemodify(vim.uri_to_fname(operation.oldUri), ':~:.'))
    return ('the new name of %s has a line end: run mux-lsp accept in a terminal'):format(name)
  end
end

---@param buf integer
---@param version any
---@return string? reason
local function refusal(buf, version)
  local name = sanitize.line(vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buf), ':~:.'))
  if not vim.bo[buf].modifiable then
    return ("%s cannot be changed: its buffer is 'nomodifiable'"):format(name)
  end
  if not sync.has_same_lines(buf) then
    return ('%s has carriage returns within lines: run mux-lsp accept in a terminal'):format(name)
  end
  if type(version) == 'number' and vim.lsp.util.buf_versions[buf] ~= version then
    return ('%s has changed in the meantime: try again'):format(name)
  end
end

---@param buf integer
---@param join boolean
local function start_undo_block(buf, join)
  vim.api.nvim_buf_call(buf, function()
    if not (join and pcall(vim.cmd.undojoin)) then
      vim.cmd('let &l:undolevels = &l:undolevels')
    end
  end)
end

--- Split a text into the lines of a buffer. The second result is whether the last line has a line end.
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

--- Replace whole lines, exact to the byte: Neovim's own function drops carriage returns and adds empty lines. The line end
--- of the last line is an option of the buffer, not part of its text.
---@param buf integer
---@param one lsp.TextEdit
local function replace_lines(buf, one)
  local lines, ended = lines_of(buf, one.newText)
  local count = sync.is_empty(buf) and 0 or vim.api.nvim_buf_line_count(buf)
  local first, last = one.range.start, one.range['end']
  local stop = last.line + (last.character > 0 and 1 or 0)
  if stop >= count then
    stop = -1 -- an empty buffer still has one line
    if #lines > 0 or first.line > 0 then
      vim.bo[buf].eol = ended
    end
  end
  vim.api.nvim_buf_set_lines(buf, first.line, stop, false, lines)
end

--- Apply edits from the last to the first, so that earlier positions stay valid.
---@param buf integer
---@param edits lsp.TextEdit[]
local function apply_edits(buf, edits)
  for number = #edits, 1, -1 do
    replace_lines(buf, assert(edits[number]))
  end
end

---@param operation table a file operation: `create`, `rename` or `delete`
---@param encoding any
local function change_file(operation, encoding)
  local buf = operation.kind == 'create' and vim.uri_to_bufnr(operation.uri)
  if buf and vim.api.nvim_buf_is_loaded(buf) then
    -- The file is created when its buffer is written.
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
  start_undo_block(buf, joined)
  apply_edits(buf, one.edits)
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
    local buf = not one.kind and loaded_buffer(one)
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
  return { applied = done, failureReason = not done and sanitize.line(tostring(failure)) or nil }
end

return M
