// Comfort only: every page works without it.
'use strict';

// Pieces that refresh themselves: a new piece is put in only if it differs, so that nothing is read out twice.
for (const piece of document.querySelectorAll('[data-refresh]')) {
  const every = Number(piece.dataset.every) * 1000;
  const refresh = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(piece.dataset.refresh, { headers: { 'X-Hooklane-Refresh': '1' } });
        if (answer.status === 205 || answer.status === 401) return location.reload();
        if (answer.ok) {
          const { body } = new DOMParser().parseFromString(await answer.text(), 'text/html');
          if (piece.innerHTML !== body.innerHTML) piece.replaceChildren(...body.childNodes);
        }
        piece.classList.toggle('stale', !answer.ok);
      } catch {
        piece.classList.add('stale');
      }
    }
    setTimeout(refresh, every);
  };
  setTimeout(refresh, every);
}

// How long ago something was goes on while a page is open.
const units = [[172800, 86400, 'd'], [3600, 3600, 'h'], [60, 60, 'min'], [5, 1, 's']];
setInterval(() => {
  for (const shown of document.querySelectorAll('[data-ago]')) {
    const seconds = Math.floor((Date.now() - Number(shown.dataset.ago)) / 1000);
    const unit = units.find(([from]) => seconds >= from);
    const text = unit ? `${Math.floor(seconds / unit[1])} ${unit[2]} ago` : shown.textContent;
    if (shown.textContent !== text) shown.textContent = text;
  }
}, 5000);

// Copying: the text of an element here, or what an address answers.
const copy = async (button) => {
  const { copy, copyFrom } = button.dataset;
  let text;
  if (copyFrom) {
    const answer = await fetch(copyFrom);
    if (!answer.ok) throw new Error(answer.status);
    text = await answer.text();
  } else {
    text = document.querySelector(copy).textContent;
  }
  try {
    return await navigator.clipboard.writeText(text);
  } catch {
    // Over plain http, or where it is not allowed, there is only the old way.
  }
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (!done) throw new Error('refused');
};
for (const button of document.querySelectorAll('[data-copy], [data-copy-from]')) {
  const title = button.textContent;
  button.setAttribute('aria-live', 'polite');
  button.addEventListener('click', async () => {
    try {
      await copy(button);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Not copied';
    }
    setTimeout(() => { button.textContent = title; }, 2000);
  });
}

// Choosing all rows of a page at once.
const all = document.querySelector('#select-page');
if (all) {
  const boxes = [...document.querySelectorAll('input[name=id]')];
  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    const shown = document.querySelector('#chosen-count');
    if (shown) shown.textContent = chosen ? `${chosen} selected` : '';
    for (const button of document.querySelectorAll('[data-needs-choice]')) button.disabled = chosen === 0;
  };
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  for (const box of boxes) box.addEventListener('change', count);
  // A browser that goes back keeps what was checked.
  addEventListener('pageshow', count);
  count();
}
document.documentElement.classList.add('scripted');
