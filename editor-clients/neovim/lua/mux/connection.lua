--- Connect this Neovim to the daemon with one LSP client, which the buffers of all repositories share. A lost connection is
--- made again, with the same buffers.
local compat = require('mux.compat')
local events = require('mux.events')
local repository = require('mux.repository')
local sanitize = require('mux.sanitize')
local server = require('mux.server')
local notify = require('mux.notify')

local M = {}

---@alias mux.Callback fun(result: any, err: string?)

---@type vim.lsp.Client? the client, once it is initialized
local client
local starting, restarting = false, false
---@type table<integer, true> the attached buffers, and those to attach again
local buffers = {}
---@type mux.Callback[] the requests that wait for a connection
local waiting = {}
---@type table<mux.Callback, true> the requests that wait for a response
local unanswered = {}

--- Return whether a buffer is attached.
---@param buf integer
---@return boolean
function M.is_attached(buf)
  return client ~= nil and vim.lsp.buf_is_attached(buf, client.id)
end

---@return boolean
function M.is_connected()
  return client ~= nil
end

--- Return the client, for functions of Neovim that need one.
---@return vim.lsp.Client?
function M.client()
  return client
end

---@param failure string
local function fail_all(failure)
  local callbacks = vim.list_extend(vim.tbl_keys(unanswered), waiting)
  unanswered, waiting = {}, {}
  for _, callback in ipairs(callbacks) do
    callback(nil, failure)
  end
end

---@param one vim.lsp.Client
---@param buf integer
local function on_attach(one, buf)
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

--- Set up the modules that show events.
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
local function on_init(one)
  client, starting = one, false
  local has = assert(one.server_capabilities)
  assert(has.textDocumentSync).change = vim.lsp.protocol.TextDocumentSyncKind.None -- `sync` sends changes
  -- The inline diff shows their content. With a hover provider, Neovim would map `K` in all files of all repositories.
  has.hoverProvider, has.codeLensProvider = nil, nil
  set_up()
  for buf in pairs(buffers) do
    if vim.api.nvim_buf_is_loaded(buf) then
      vim.lsp.buf_attach_client(buf, one.id)
    else
      buffers[buf] = nil
    end
  end
  local callbacks = waiting
  waiting = {}
  require('mux.store').load(function()
    events.emit(events.names.connected, {})
  end)
  for _, callback in ipairs(callbacks) do
    callback(one, nil)
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
  -- Edits have the version of their text; `edit` refuses those for another version.
  workspace.workspaceEdit.documentChanges = true
  -- The encoding of most servers: Neovim 0.10 mixes up the columns of servers with different encodings on one buffer.
  assert(made.general).positionEncodings = { 'utf-16' }
  return made
end

--- Return the configuration of the client.
---@return any
function M.config()
  return {
    name = 'mux',
    cmd = server.start,
    capabilities = capabilities(),
    flags = { debounce_text_changes = 0 }, -- Neovim sends no changes itself, so it needs no timer
    init_options = {
      mux = { protocol = server.PROTOCOL, commands = { 'mux.client.diff', 'mux.client.merge' }, draws = true },
    },
    commands = require('mux.client_commands'),
    handlers = require('mux.handlers'),
    on_init = on_init,
    -- `vim.lsp.enable` uses these two.
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
  -- Neovim may be about to attach a buffer.
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

-- Not `on_attach`, which the person's own configuration may replace.
vim.api.nvim_create_autocmd('LspAttach', {
  group = vim.api.nvim_create_augroup('mux.connection', {}),
  callback = function(event)
    local one = vim.lsp.get_client_by_id(event.data.client_id)
    if one and one.name == 'mux' then
      on_attach(one, event.buf)
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

--- Connect again, also after a failure.
function M.restart()
  server.reset()
  if client then
    restarting = true
    compat.stop(client)
  else
    connect()
  end
end

--- Call back with the client once there is one, or with the reason for the failure.
---@param callback mux.Callback
local function with_client(callback)
  if client and not compat.is_stopped(client) then
    return callback(client, nil)
  end
  table.insert(waiting, callback)
  connect()
end

--- Request one of the protocol's commands. Pending changes of texts are sent first.
---@param command string
---@param argument table
---@param callback mux.Callback
function M.request(command, argument, callback)
  with_client(function(one, failure)
    if failure then
      return callback(nil, failure)
    end
    local params = {
      command = command,
      arguments = { next(argument) ~= nil and argument or vim.empty_dict() },
    }
    unanswered[callback] = true
    local sent = compat.request(one, 'workspace/executeCommand', params, function(err, result)
      if unanswered[callback] then
        unanswered[callback] = nil
        callback(result, err and sanitize.text(err.message or tostring(err)) or nil)
      end
    end)
    if not sent and unanswered[callback] then
      unanswered[callback] = nil
      callback(nil, 'the connection to the daemon was lost: try again')
    end
  end)
end

--- Request one of the protocol's commands, and report a failure to the person.
---@param command string
---@param argument table
---@param callback? fun(result: any)
function M.call(command, argument, callback)
  M.request(command, argument, function(result, failure)
    if failure then
      notify.error(failure)
    elseif callback then
      callback(result)
    end
  end)
end

return M
