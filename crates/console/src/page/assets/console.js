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
          const text = await answer.text();
          if (piece.dataset.shown !== text) {
            piece.replaceChildren(...new DOMParser().parseFromString(text, 'text/html').body.childNodes);
            piece.dataset.shown = text;
          }
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
