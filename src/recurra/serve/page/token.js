// Asking for the token, in a dialog; several requests that need one at once wait for the same answer.

const dialog = document.getElementById("token");
const form = document.getElementById("token-form");
const value = document.getElementById("token-value");
const why = document.getElementById("token-why");

let asked = null;

// Resolves to what was typed, or null.
export function askToken(sentence) {
  asked ??= new Promise((resolve) => {
    why.textContent = sentence;
    value.value = "";
    dialog.showModal();
    value.focus();
    dialog.addEventListener(
      "close",
      () => {
        asked = null;
        resolve(dialog.returnValue === "given" ? value.value.trim() : null);
        value.value = "";
      },
      { once: true },
    );
  });
  return asked;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  dialog.close("given");
});
document.getElementById("token-leave").addEventListener("click", () => dialog.close("left"));
dialog.addEventListener("cancel", () => {
  dialog.returnValue = "left";
});
