"use strict";
// All of it is readable without this. With it: light or dark, sorting, and pictures on one another.

const root = document.documentElement;
root.classList.add("js");

const dark = matchMedia("(prefers-color-scheme: dark)");
document.getElementById("theme").addEventListener("click", () => {
  const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});

function sortBy(header) {
  const descending = header.ariaSort !== "descending";
  const table = header.closest("table");
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  header.ariaSort = descending ? "descending" : "ascending";
  const value = (row) => parseFloat(row.cells[header.cellIndex]?.querySelector("data")?.value);
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => row.querySelector("td"));
    const known = rows.filter((row) => !Number.isNaN(value(row)));
    const unknown = rows.filter((row) => Number.isNaN(value(row)));
    known.sort((a, b) => (descending ? value(b) - value(a) : value(a) - value(b)));
    body.append(...known, ...unknown);
  }
}

for (const header of document.querySelectorAll("th.sortable")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  header.append(button);
  button.addEventListener("click", () => sortBy(header));
}

for (const figure of document.querySelectorAll("figure.case")) {
  const pictures = figure.querySelector(".pictures");
  const slider = figure.querySelector("input[type=range]");
  const show = () => {
    pictures.style.setProperty("--at", `${slider.value}%`);
    pictures.dataset.left = figure.querySelector("input:checked").value;
  };
  figure.addEventListener("input", show);
  show();
}
