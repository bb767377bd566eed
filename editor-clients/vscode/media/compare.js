// The comparison's page: says which button was pressed, and shows what it is sent. All of it was made by the extension.
(() => {
  const editor = acquireVsCodeApi();
  const main = document.querySelector("main");
  const press = (event) => {
    const button = event.target.closest("[data-action]");
    if (button !== null) {
      const { action, run, path } = button.dataset;
      editor.postMessage({ action, run, path: path === undefined ? undefined : decodeURIComponent(path) });
      event.preventDefault();
    }
  };
  main.addEventListener("click", press);
  main.addEventListener("keydown", (event) => {
    // A button does this by itself, what is drawn does not.
    if ((event.key === "Enter" || event.key === " ") && event.target.closest("svg") !== null) {
      press(event);
    }
  });
  window.addEventListener("message", ({ data }) => {
    // Whoever is at a button stays there.
    const at = document.activeElement?.closest("[data-action]")?.getAttribute("aria-label");
    const open = main.querySelector("details")?.open ?? false;
    main.innerHTML = data.body;
    main.querySelector("details")?.toggleAttribute("open", open);
    for (const button of main.querySelectorAll("[data-action]")) {
      if (button.getAttribute("aria-label") === at) {
        button.focus();
      }
    }
  });
})();
