--- Wrap the functions that differ between Neovim 0.10 and 0.11.
local M = {}

--- True if Neovim has `vim.lsp.config` and `vim.lsp.enable`, and the functions of a client take the client first.
M.has_config = vim.fn.has('nvim-0.11') == 1

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler fun(err: lsp.ResponseError?, result: any)
---@param buf? integer the buffer that the request is about
---@return boolean sent
function M.request(client, method, params, handler, buf)
  if M.has_config then
    return (client:request(method, params, handler, buf))
  end
  ---@diagnostic disable-next-line: param-type-mismatch, missing-parameter, redundant-parameter, assign-type-mismatch
  local sent = client.request(method, params, handler, buf)
  return sent and true or false
end

---@param client vim.lsp.Client
---@param method string
---@param params table
function M.notify(client, method, params)
  if M.has_config then
    client:notify(method, params)
  else
    ---@diagnostic disable-next-line: param-type-mismatch, missing-parameter
    client.notify(method, params)
  end
end

---@param client vim.lsp.Client
---@return boolean
function M.is_stopped(client)
  if M.has_config then
    return client:is_stopped()
  end
  ---@diagnostic disable-next-line: missing-parameter
  return client.is_stopped()
end

---@param client vim.lsp.Client
function M.stop(client)
  if M.has_config then
    client:stop()
  else
    ---@diagnostic disable-next-line: missing-parameter
    client.stop()
  end
end

--- Start a client without a buffer.
---@param config vim.lsp.ClientConfig
---@return integer? id
function M.start(config)
  if M.has_config then
    return vim.lsp.start(config, {
      attach = false,
      reuse_client = function()
        return false -- an existing client may be about to end
      end,
    })
  end
  ---@diagnostic disable-next-line: deprecated
  local id = vim.lsp.start_client(config)
  return id
end

return M
