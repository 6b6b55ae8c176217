"use strict";
// Elements, and the choice of light or dark. All text is set with textContent.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// --- light or dark: the system's choice until another is made
{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = make("button", { type: "button", className: "theme" });
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const label = () => { button.textContent = isDark() ? "light" : "dark"; button.title = `switch to ${button.textContent} colors`; };
  try { root.dataset.theme = localStorage.getItem("seq2see-theme") || ""; } catch { /* no storage in this context */ }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("seq2see-theme", root.dataset.theme); } catch { /* likewise */ }
    label();
  });
  dark.addEventListener("change", label);
  label();
  document.querySelector("header").append(button);
}
