--- The one connection of this Neovim to the daemon: an LSP client that all buffers share, whatever repository they are
--- of. When it breaks it is made anew, with the same buffers.
local compat = require('mux.compat')
local events = require('mux.events')
local repository = require('mux.repository')
local safe = require('mux.safe')
local server = require('mux.server')
local tell = require('mux.tell')

local M = {}

---@alias mux.Answer fun(result: any, err: string?)

---@type vim.lsp.Client? the client, once it is initialized
local client
local starting, restarting = false, false
---@type table<integer, true> the buffers that are attached, or will be again
local buffers = {}
---@type mux.Answer[] what waits for a connection
local waiting = {}
---@type table<mux.Answer, true> what waits for an answer
local asked = {}

--- Whether a buffer is one of the connection's.
---@param buf integer
---@return boolean
function M.is_attached(buf)
  return client ~= nil and vim.lsp.buf_is_attached(buf, client.id)
end

---@return boolean
function M.is_connected()
  return client ~= nil
end

--- The client, for what Neovim's own functions need one for.
---@return vim.lsp.Client?
function M.client()
  return client
end

---@param failure string
local function fail_all(failure)
  local unanswered = vim.list_extend(vim.tbl_keys(asked), waiting)
  asked, waiting = {}, {}
  for _, answer in ipairs(unanswered) do
    answer(nil, failure)
  end
end

---@param one vim.lsp.Client
---@param buf integer
local function attached(one, buf)
  buffers[buf] = true
  local root = repository.of(buf)
  if root then
    local folder = { uri = vim.uri_from_fname(root), name = root }
    local folders = one.workspace_folders or {}
    local known = vim.iter(folders):any(function(other)
      return other.uri == folder.uri
    end)
    if not known then
      one.workspace_folders = vim.list_extend(folders, { folder })
      compat.notify(one, 'workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
    end
  end
  require('mux.places').attach(buf)
end

local is_set_up = false

--- Have everything listen that shows something by itself.
local function set_up()
  if is_set_up then
    return
  end
  is_set_up = true
  require('mux.highlights').setup()
  require('mux.permission').setup()
  require('mux.status').setup()
end

---@param one vim.lsp.Client
local function initialized(one)
  client, starting = one, false
  local has = assert(one.server_capabilities)
  assert(has.textDocumentSync).change = vim.lsp.protocol.TextDocumentSyncKind.None -- `sync` tells of changes
  -- What they would say is drawn in the text. With a hover `K` would be mapped in every file of every repository, and
  -- lenses would stand beside our own words.
  has.hoverProvider, has.codeLensProvider = nil, nil
  set_up()
  for buf in pairs(buffers) do
    if vim.api.nvim_buf_is_loaded(buf) then
      vim.lsp.buf_attach_client(buf, one.id)
    else
      buffers[buf] = nil
    end
  end
  local queue = waiting
  waiting = {}
  require('mux.store').load(function()
    events.emit(events.names.connected, {})
  end)
  for _, answer in ipairs(queue) do
    answer(one, nil)
  end
end

---@param one vim.lsp.Client
---@return boolean
local function is_dead(one)
  return compat.is_stopped(one) or server.refused[one.rpc] == true
end

---@return table
local function capabilities()
  local made = vim.lsp.protocol.make_client_capabilities()
  local workspace = assert(made.workspace) --[[@as table]]
  workspace.textDocumentContent = {}
  -- Edits name the version of the text that they are for; `edit` refuses those for another one.
  workspace.workspaceEdit.documentChanges = true
  -- What most servers count in: on 0.10 those of one buffer that count differently get each other's columns.
  assert(made.general).positionEncodings = { 'utf-16' }
  return made
end

--- The configuration of the client.
---@return any
function M.config()
  return {
    name = 'mux',
    cmd = server.start,
    capabilities = capabilities(),
    flags = { debounce_text_changes = 0 }, -- Neovim has nothing to tell, and needs no timer for it
    init_options = {
      mux = { protocol = server.PROTOCOL, commands = { 'mux.client.diff', 'mux.client.merge' }, draws = true },
    },
    commands = require('mux.client_commands'),
    handlers = require('mux.handlers'),
    on_init = initialized,
    -- The two below are for `vim.lsp.enable`.
    root_dir = function(buf, on_dir)
      local root = repository.of(buf)
      if root and server.available() then
        on_dir(root)
      end
    end,
    reuse_client = function(one)
      return one.name == 'mux' and not is_dead(one)
    end,
  }
end

---@param root string
---@return any
local function config_at(root)
  local configs = vim.lsp.config --[[@as table<string, any>]]
  local made = compat.has_config and vim.deepcopy(configs.mux) or M.config()
  made.root_dir = root
  return made
end

--- Attach a buffer, if its file is in a git repository.
---@param buf integer
function M.attach(buf)
  local root = vim.api.nvim_buf_is_loaded(buf) and repository.of(buf)
  if root and server.available() then
    local config = config_at(root)
    vim.lsp.start(config, { bufnr = buf, reuse_client = config.reuse_client })
  end
end

local function connect()
  if client or starting then
    return
  end
  -- Neovim may be about to attach a buffer by itself.
  for _, one in ipairs(vim.lsp.get_clients({ name = 'mux', _uninitialized = true })) do
    if not is_dead(one) then
      return
    end
  end
  if not server.available() then
    return fail_all(server.reason())
  end
  starting = true
  if not compat.start(config_at(repository.here() or vim.fn.getcwd())) then
    starting = false
    fail_all('mux-lsp did not start: see :help mux-install')
  end
end

-- No `on_attach`: a person's own would be instead of it.
vim.api.nvim_create_autocmd('LspAttach', {
  group = vim.api.nvim_create_augroup('mux.connection', {}),
  callback = function(event)
    local one = vim.lsp.get_client_by_id(event.data.client_id)
    if one and one.name == 'mux' then
      attached(one, event.buf)
    end
  end,
})

server.listen({
  ended = function(again)
    client, starting = nil, false
    fail_all(again and 'the connection to the daemon was lost: try again' or server.reason())
    if again or restarting then
      restarting = false
      connect()
    end
  end,
})

--- Try again after it was given up, or begin anew.
function M.restart()
  server.forgive()
  if client then
    restarting = true
    compat.stop(client)
  else
    connect()
  end
end

--- Call with the client when there is one, or with the reason why there is none.
---@param answer mux.Answer
local function with_client(answer)
  if client and not compat.is_stopped(client) then
    return answer(client, nil)
  end
  table.insert(waiting, answer)
  connect()
end

--- Carry out one of the protocol's commands. What is typed so far is told first.
---@param command string
---@param argument table
---@param answer mux.Answer
function M.request(command, argument, answer)
  with_client(function(one, failure)
    if failure then
      return answer(nil, failure)
    end
    local params = {
      command = command,
      arguments = { next(argument) ~= nil and argument or vim.empty_dict() },
    }
    asked[answer] = true
    local sent = compat.request(one, 'workspace/executeCommand', params, function(err, result)
      if asked[answer] then
        asked[answer] = nil
        answer(result, err and safe.text(err.message or tostring(err)) or nil)
      end
    end)
    if not sent and asked[answer] then
      asked[answer] = nil
      answer(nil, 'the connection to the daemon was lost: try again')
    end
  end)
end

--- The same as `request`, for what has nothing to add to a failure but to tell it.
---@param command string
---@param argument table
---@param answer? fun(result: any)
function M.ask(command, argument, answer)
  M.request(command, argument, function(result, failure)
    if failure then
      tell.error(failure)
    elseif answer then
      answer(result)
    end
  end)
end

return M
