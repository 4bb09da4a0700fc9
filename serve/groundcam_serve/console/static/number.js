// A field for a number: what is typed stays as it is typed, and is taken whenever it is a number.

import { html, useState } from "./vendor/htm-preact.js";

/** `more` are the input's other attributes. @param {{value: number, set: (value: number) => void} & Record<string, any>} props */
export function NumberField({ value, set, ...more }) {
  const [typed, type] = useState(/** @type {string | null} */ (null));
  const take = event => {
    type(event.target.value);
    if (event.target.value !== "") set(Number(event.target.value));
  };
  return html`<input type="number" ...${more} value=${typed ?? value} onInput=${take} onBlur=${() => type(null)} />`;
}
