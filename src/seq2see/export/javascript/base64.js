// Bytes that a page or a module holds as text.

const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
