// The model of a page that holds it as WebAssembly. Comes after base64.js and wasm.js.

const NEEDS =
  "This browser can't run the model: it needs WebAssembly with SIMD (Chrome 97, Firefox 102, Safari 16.4 or newer), switched on. " +
  "A page that was written with --no-wasm runs without it.";

Model.of = async ({ wasm }) => {
  let compiled;
  try {
    compiled = await WebAssembly.compile(fromBase64(wasm));
  } catch (error) {
    throw new Error(`${NEEDS} (${error.message})`);
  }
  return new Model(compiled);
};
