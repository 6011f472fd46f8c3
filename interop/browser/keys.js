// A browser without a mouse.

import assert from 'node:assert/strict';

/** More stops than any page has. */
const STOPS = 80;

export class Keys {
  constructor(page) {
    this.page = page;
  }

  press(key) {
    return this.page.keyboard.press(key);
  }

  /** Goes on with Tab to what is looked for, and sees at every stop where it is. */
  async to(wanted) {
    await wanted.waitFor();
    for (let stop = 0; stop < STOPS; stop += 1) {
      await this.press('Tab');
      const found = await this.page.evaluate(focused);
      // Behind the last stop the browser's own bar has the focus.
      if (found) assert.ok(found.ring >= 2 && found.visible, `nobody sees that ${found.what} has the focus`);
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`Tab does not lead to ${wanted}`);
  }

  /** Goes there and presses Enter. */
  async enter(wanted) {
    await this.to(wanted);
    await this.press('Enter');
  }

  /** Goes to a field and writes over what it holds. */
  async write(wanted, text) {
    await this.to(wanted);
    await this.press('Control+a');
    await this.page.keyboard.type(text);
  }

  /** Goes to a group of radio buttons, where one of them is a stop, and on with the arrow. */
  async choose(group, wanted) {
    await this.to(group.locator('input:checked'));
    for (let stop = 0; stop < STOPS && !(await wanted.isChecked()); stop += 1) {
      await this.press('ArrowDown');
      const found = await this.page.evaluate(focused);
      assert.ok(found?.ring >= 2 && found.visible, `nobody sees that ${found?.what} has the focus`);
    }
    assert.ok(await wanted.isChecked());
  }
}

/** In the page: how thick the line around whatever has the focus is, and whether it can be seen. */
function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const around = [element, element.closest('label')].filter(Boolean).map((one) => getComputedStyle(one));
  const rings = around.filter((style) => style.outlineStyle !== 'none').map((style) => parseFloat(style.outlineWidth));
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return {
    what: element.outerHTML.slice(0, 200),
    ring: Math.max(0, ...rings),
    visible: right > 0 && left < innerWidth && bottom > 0 && top < innerHeight && right > left && bottom > top,
  };
}
