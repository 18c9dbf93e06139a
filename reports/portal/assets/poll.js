// What lasts is shown as it goes: a box is filled anew with what its address says, until that says it is over.
"use strict";
for (const box of document.querySelectorAll("[data-poll]")) {
  const look = async () => {
    try {
      const answer = await fetch(box.dataset.poll, { credentials: "same-origin", cache: "no-store" });
      if (answer.redirected || answer.status === 401 || answer.status === 403 || answer.headers.get("X-Over") === "1") {
        location.reload();
        return;
      }
      if (answer.ok) box.innerHTML = await answer.text();
    } catch {
      // the portal is away for a moment
    }
    setTimeout(look, 1500);
  };
  setTimeout(look, 1000);
}
for (const box of document.querySelectorAll("[data-reload]")) {
  const again = () => {
    const chosen = [...document.querySelectorAll("input[type=file]")].some((field) => field.files.length);
    if (chosen) setTimeout(again, 1000);
    else location.reload();
  };
  setTimeout(again, 1000 * Number(box.dataset.reload));
}
