// How an answer is searched for.

// Throws for an option that there isn't, or one out of its range; null is the default.
function requireOptions(beam, mostBeam, nBest, lengthPenalty, minLength, maxLength, others) {
  for (const name in others) throw new TypeError(`unknown option ${name}`);
  const integer = (name, value, most) => {
    if (Number.isInteger(value) && value >= 1 && value <= most) return;
    throw new RangeError(`${name} must be an integer from 1 to ${most}, not ${value}`);
  };
  integer("beam", beam, mostBeam);
  integer("nBest", nBest, beam);
  integer("maxLength", maxLength ?? 1, 1e6);
  integer("minLength", minLength ?? 1, maxLength ?? 1e6);
  if (!(lengthPenalty >= 0 && lengthPenalty <= 1e6)) throw new RangeError(`lengthPenalty must be from 0 to 1000000, not ${lengthPenalty}`);
}
