// The page's model, in a worker where there can be one, so that typing never waits.

// What a message makes `post` send: first the model's JSON, then texts.
function answering(post) {
  let model = null;
  return ({ json, text, options }) => {
    try {
      if (json) {
        const { weights, ...values } = JSON.parse(json);
        model = new Model({ ...values, weights: fromBase64(weights) });
        return post({});
      }
      const start = performance.now();
      const answer = model.predict(text, options);
      return post({ answer, time: performance.now() - start });
    } catch (error) {
      return post({ problem: error.message });
    }
  };
}

if (typeof document === "undefined") {
  const receive = answering((message) => postMessage(message));
  onmessage = ({ data }) => receive(data);
}
