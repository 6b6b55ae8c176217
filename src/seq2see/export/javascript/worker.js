// The page's model, in a worker where there can be one, so that typing never waits.

// What a message makes `post` send: first the model's JSON, then texts. What prevents a model is said to each text.
function answering(post) {
  let model;
  return async ({ json, text, options }) => {
    try {
      if (json) model = Model.of(JSON.parse(json));
      const own = await model;
      const start = performance.now();
      post(json ? {} : { answer: own.predict(text, options), time: performance.now() - start });
    } catch (error) {
      post({ problem: error.message });
    }
  };
}

if (typeof document === "undefined") {
  const receive = answering(postMessage);
  onmessage = ({ data }) => receive(data);
}
