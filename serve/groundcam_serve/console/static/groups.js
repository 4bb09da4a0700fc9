// Groups of cameras in an order of one's own. A browser keeps its own, as it does the layout; a link carries one elsewhere.

import { html, useLayoutEffect, useRef, useState } from "./vendor/htm-preact.js";
import { many, SAME_NAME } from "./words.js";

const KEPT = "groups";

/** @typedef {{name: string, cameras: string[]}} Group */

/** @returns {Group[]} What this browser keeps; anything else that lies in its place counts for nothing. */
export function keptGroups() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return kept.filter(one => typeof one?.name === "string" && Array.isArray(one.cameras));
  } catch {
    return [];
  }
}

/** @param {Group[]} groups */
export const keepGroups = groups => localStorage.setItem(KEPT, JSON.stringify(groups));

/** Those of the cameras that are named, in the order of the names. @param {Camera[]} cameras @param {string[]} names */
export const inOrder = (cameras, names) => [...new Set(names)].flatMap(name => cameras.find(one => one.camera_id === name) ?? []);

/** The address of a wall of these cameras, without menus. @param {string[]} names */
const wallOf = names => `#/?wall=${names.map(encodeURIComponent).join(",")}`;

/**
 * A group's name and cameras; a new one where `group` is null. Another tab may have changed others meanwhile.
 * @param {{group: Group | null, cameras: Camera[], done: (groups: Group[], chosen: string) => void, leave: () => void}} props
 */
export function GroupForm({ group, cameras, done, leave }) {
  const [name, setName] = useState(group?.name ?? "");
  const [chosen, setChosen] = useState(group?.cameras ?? []);
  const form = useRef(/** @type {any} */ (null));
  /** What has the focus once the lists are drawn anew: buttons move and go. */
  const next = useRef(/** @type {(() => any) | null} */ (() => form.current.querySelector("input")));
  useLayoutEffect(() => { // Before the next key is pressed.
    next.current?.()?.focus();
    next.current = null;
  }, [chosen]);
  const others = keptGroups().filter(one => one.name !== group?.name);
  const wanted = name.trim(), isTaken = others.some(one => one.name === wanted);
  const called = id => cameras.find(one => one.camera_id === id)?.name || id;
  const move = (at, by) => {
    const moved = [...chosen], id = chosen[at];
    [moved[at], moved[at + by]] = [moved[at + by], moved[at]];
    next.current = () => {
      const [earlier, later] = form.current.querySelectorAll(`[data-member="${CSS.escape(id)}"] button`);
      const [same, other] = by < 0 ? [earlier, later] : [later, earlier];
      return same.disabled ? other : same;
    };
    setChosen(moved);
  };
  const add = (id, at) => {
    next.current = () => {
      const rest = form.current.querySelectorAll("[data-other]");
      return rest[Math.min(at, rest.length - 1)] ?? form.current.querySelector("button.main");
    };
    setChosen([...chosen, id]);
  };
  const remove = id => {
    next.current = () => form.current.querySelector(`[data-other="${CSS.escape(id)}"]`) ?? form.current.querySelector("input");
    setChosen(chosen.filter(one => one !== id));
  };
  const save = event => {
    event.preventDefault();
    const kept = { name: wanted, cameras: chosen };
    done([...others, kept].sort((a, b) => a.name.localeCompare(b.name)), wanted);
  };
  return html`<form class="group" ref=${form} onSubmit=${save} aria-label=${group ? `Group ${group.name}` : "New group"}>
    <label>Name <input required maxlength="60" value=${name} onInput=${event => setName(event.target.value)} aria-describedby="group-problem" /></label>
    <p class="problem" id="group-problem" role="status">${isTaken ? SAME_NAME : ""}</p>
    <fieldset><legend>Cameras, in their order on the wall</legend>
      <ol class="ordered">${chosen.map((id, at) => html`<li key=${id} data-member=${id}><span>${called(id)}</span>
        <button type="button" disabled=${at === 0} onClick=${() => move(at, -1)} aria-label=${`${called(id)}: earlier`}>↑</button>
        <button type="button" disabled=${at === chosen.length - 1} onClick=${() => move(at, 1)} aria-label=${`${called(id)}: later`}>↓</button>
        <button type="button" onClick=${() => remove(id)} aria-label=${`${called(id)}: not in this group`}>×</button></li>`)}</ol>
      <div class="choice">${cameras.filter(one => !chosen.includes(one.camera_id)).map((one, at) => html`
        <button type="button" key=${one.camera_id} data-other=${one.camera_id} onClick=${() => add(one.camera_id, at)} aria-label=${`${called(one.camera_id)}: into this group`}>+ ${called(one.camera_id)}</button>`)}</div>
    </fieldset>
    <div class="bar"><button class="main" disabled=${!wanted || isTaken || !chosen.length}>Save</button>
      <button type="button" onClick=${leave}>Cancel</button>
      ${group && html`<button type="button" onClick=${() => done(others, "")}>Delete this group</button>`}
      ${chosen.length > 0 && html`<a href=${wallOf(chosen)}>A wall of ${many(chosen.length, "camera")}, for a screen of its own</a>`}</div>
  </form>`;
}
