/** The model in NAME.wasm beside this file, NAME.wasm.mjs, or in these bytes. */
export async function load(bytes = null) {
  if (bytes === null) {
    const url = new URL(import.meta.url);
    url.pathname = url.pathname.replace(/\.mjs$/, "");
    if (url.protocol === "file:") bytes = await (await import("node:fs/promises")).readFile(url);
    else {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`can't load ${url}: ${response.status}`);
      bytes = await response.arrayBuffer();
    }
  }
  return new Model(await WebAssembly.compile(bytes));
}
export { Model };
