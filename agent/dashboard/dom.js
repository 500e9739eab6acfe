// SPDX-License-Identifier: MIT
// Builds elements, and brings a tree that is shown up to date with a new one.
// Whatever comes from outside becomes a text node or an attribute here: there
// is no way from text to markup in this program.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown",
  "onfocus", "onpointermove", "onpointerleave", "ontoggle"];

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) {
      continue;
    }
    if (name.startsWith("on")) {
      element[name.toLowerCase()] = value;
    } else if (name === "props") {
      element.given = value;
    } else if (name === "style") {
      for (const [key, text] of Object.entries(value)) {
        element.style.setProperty(key, text);
      }
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) {
      element.append(child instanceof Node ? child : String(child));
    }
  }
  return element;
}

// An HTML element. `props` are objects for a custom element; `style` is set
// property by property, as the policy of the page asks.
export function h(tag, attributes, ...children) {
  return build(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key")
    : null;
}

function sync(now, next) {
  for (const { name } of [...now.attributes]) {
    // what somebody has opened stays open
    if (!next.hasAttribute(name) && !(name === "open" && "open" in now)) {
      now.removeAttribute(name);
    }
  }
  for (const { name, value } of next.attributes) {
    if (name === "style") {
      // the policy forbids the attribute, not the object
      if (now.style.cssText !== next.style.cssText) {
        now.style.cssText = next.style.cssText;
      }
    } else if (now.getAttribute(name) !== value) {
      now.setAttribute(name, value);
    }
  }
  for (const name of HANDLERS) {
    if (now[name] !== next[name]) {
      now[name] = next[name];
    }
  }
  if (next.given) {
    now.given = next.given;
    now.take?.();
  }
}

function replaceOrPatch(parent, now, next) {
  if (now === next) {
    return;
  }
  if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName ||
      keyOf(now) !== keyOf(next)) {
    parent.replaceChild(next, now);
  } else if (now.nodeType === Node.TEXT_NODE) {
    if (now.nodeValue !== next.nodeValue) {
      now.nodeValue = next.nodeValue;
    }
  } else {
    sync(now, next);
    // a custom element is in charge of what is in it
    if (!next.hasAttribute("data-own")) {
      patch(now, [...next.childNodes]);
    }
  }
}

// Makes the children of `parent` be like `nodes`, and leaves alone what is the
// same: focus, selection and scroll stay where they are.
export function patch(parent, nodes) {
  const list = [nodes].flat(Infinity).filter(node => node);
  const keyed = new Map();
  for (const child of parent.childNodes) {
    if (keyOf(child) !== null) {
      keyed.set(keyOf(child), child);
    }
  }
  list.forEach((node, index) => {
    const next = node instanceof Node ? node
      : document.createTextNode(String(node));
    const same = keyOf(next) === null ? null : keyed.get(keyOf(next));
    const now = parent.childNodes[index];
    if (same && same !== now) {
      parent.insertBefore(same, now || null);
    }
    const at = parent.childNodes[index];
    if (at) {
      replaceOrPatch(parent, at, next);
    } else {
      parent.append(next);
    }
  });
  while (parent.childNodes.length > list.length) {
    parent.lastChild.remove();
  }
}
