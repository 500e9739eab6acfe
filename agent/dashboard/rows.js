// SPDX-License-Identifier: MIT
// <ls-rows>: a list of any length as a grid of which only what is seen is in
// the document. One row at a time can have the focus: arrows, Page Up and Down,
// Home and End move it, Enter opens it.
//
// given: { label, columns: [{ name, head, cell, class }], items, key, href,
//          more, done, open }
import { h, patch } from "./dom.js";

const SPARE = 8; // rows above and below what is seen

class Rows extends HTMLElement {
  active = null; // key of the row that has, or would get, the focus
  kept = new Map(); // key: the row that is shown, and what it was made of

  connectedCallback() {
    this.head = h("div", { role: "rowgroup", class: "rows-head" });
    this.body = h("div", { role: "rowgroup", class: "rows-body" });
    this.grid = h("div", { role: "grid", class: "rows-grid" }, this.head,
      this.body);
    this.append(this.grid);
    this.grid.addEventListener("scroll", () => this.soon(), { passive: true });
    this.grid.addEventListener("keydown", event => this.key(event));
    this.grid.addEventListener("focusin", event => {
      const row = event.target.closest("[data-index]");
      if (row) {
        this.active = this.given.key(this.given.items[row.dataset.index]);
      }
    });
    this.sizes = new ResizeObserver(() => this.soon());
    this.sizes.observe(this.grid);
    this.take();
  }

  disconnectedCallback() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
  }

  take() {
    if (!this.grid || !this.given) {
      return;
    }
    const { label, columns, items } = this.given;
    this.grid.setAttribute("aria-label", label);
    this.grid.setAttribute("aria-rowcount", items.length + 1);
    patch(this.head, [h("div", { role: "row", class: "row",
      "aria-rowindex": "1" }, columns.map(column => h("span",
      { role: "columnheader", class: `c-${column.name}` }, column.head)))]);
    // New rows come in at the top: who reads further down is not moved.
    const first = this.first && this.grid.scrollTop > 0
      ? items.findIndex(item => this.given.key(item) === this.first.key) : -1;
    if (first > this.first?.index) {
      this.grid.scrollTop += (first - this.first.index) * this.height();
    }
    this.paint();
  }

  height() {
    return parseFloat(getComputedStyle(this).getPropertyValue("--row")) || 30;
  }

  soon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const { items, key, more, done } = this.given;
    const height = this.height();
    const seen = Math.ceil(this.grid.clientHeight / height);
    const top = Math.floor(this.grid.scrollTop / height);
    const from = Math.max(0, top - SPARE);
    const to = Math.min(items.length, top + seen + SPARE);
    this.first = items[top] ? { key: key(items[top]), index: top } : null;
    this.body.style.setProperty("height", `${items.length * height}px`);
    // Tab comes to the active row, or where that is out of sight to the first.
    const at = items.findIndex(item => key(item) === this.active);
    const entry = at >= from && at < to ? at : Math.min(top, to - 1);
    if (at < 0) {
      this.active = items.length ? key(items[entry]) : null;
    }
    const kept = new Map();
    for (let i = from; i < to; i++) {
      kept.set(key(items[i]), this.keep(items[i], i, height, i === entry));
    }
    this.kept = kept;
    const rows = [...kept.values()];
    patch(this.body, rows.map(each => each.node));
    // what was there already has been made like it, and stays
    rows.forEach((each, i) => { each.node = this.body.childNodes[i]; });
    if (!done && to >= items.length - seen) {
      more?.();
    }
  }

  // The row as it is, where nothing it is made of is another.
  keep(item, index, height, active) {
    const name = this.given.key(item);
    const old = this.kept.get(name);
    return old && old.item === item && old.index === index &&
      old.active === active && old.height === height ? old
      : { item, index, active, height, node: this.row(item, index, height,
        active) };
  }

  row(item, index, height, active) {
    const { columns, key, href, open } = this.given;
    const name = key(item);
    return h("div", { role: "row", class: "row", "data-key": name,
      "data-index": index, "aria-rowindex": index + 2,
      tabindex: active ? "0" : "-1",
      onclick: event => event.target.closest("a") || open(item),
      style: { transform: `translateY(${index * height}px)` } },
    columns.map((column, i) => h("span",
      { role: "gridcell", class: `c-${column.name}` },
      i === 0 && href ? h("a", { href: href(item), tabindex: "-1" },
        column.cell(item)) : column.cell(item))));
  }

  // The row of an index, brought into sight, with the focus.
  focusRow(index) {
    const { items, key } = this.given;
    const height = this.height();
    const at = Math.max(0, Math.min(items.length - 1, index));
    if (!items.length) {
      return;
    }
    this.active = key(items[at]);
    const room = this.grid.clientHeight - this.head.offsetHeight;
    if (at * height < this.grid.scrollTop) {
      this.grid.scrollTop = at * height;
    } else if ((at + 1) * height > this.grid.scrollTop + room) {
      this.grid.scrollTop = (at + 1) * height - room;
    }
    this.paint();
    this.body.querySelector(`[data-index="${at}"]`)?.focus(
      { preventScroll: true });
  }

  key(event) {
    const { items, key, open } = this.given;
    const at = items.findIndex(item => key(item) === this.active);
    const page = Math.max(1, Math.floor(
      this.grid.clientHeight / this.height()) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page,
      PageUp: -page, Home: -items.length, End: items.length };
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key in steps) {
      event.preventDefault();
      this.focusRow(at + steps[event.key]);
    } else if (event.key === "Enter" && items[at]) {
      event.preventDefault();
      open(items[at]);
    }
  }
}

customElements.define("ls-rows", Rows);
