// Work in slices: the page answers between them, and what is urgent goes first.
//
// A task is a generator function that yields wherever it may be interrupted. Starting a task again
// under its name replaces the old one.

"use strict";

const SLICE = 12;  // milliseconds
const URGENCY = ["picture", "labels", "twin", "pad", "shelf"];
const running = new Map();
let scheduled = false;

function startTask(name, steps) {
  running.set(name, steps());
  if (!scheduled) setTimeout(slice);
  scheduled = true;
}

function stopTask(name) {
  running.delete(name);
}

function slice() {
  const end = performance.now() + SLICE;
  let name = mostUrgent();
  while (name && performance.now() < end) {
    const task = running.get(name);
    if (task.next().done && running.get(name) === task) running.delete(name);
    name = mostUrgent();
  }
  scheduled = Boolean(name);
  if (scheduled) setTimeout(slice);
}

function mostUrgent() {
  return URGENCY.find((name) => running.has(name));
}
