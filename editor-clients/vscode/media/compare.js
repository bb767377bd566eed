// The script of the comparison's page: send button presses to the extension, and show the HTML that the extension sends.
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
    // Buttons handle these keys themselves, points of the plot do not.
    if ((event.key === "Enter" || event.key === " ") && event.target.closest("svg") !== null) {
      press(event);
    }
  });
  window.addEventListener("message", ({ data }) => {
    // Keep the focus on the button that has it.
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
