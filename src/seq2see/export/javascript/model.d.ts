/** How an answer is searched for. */
export interface Options {
  /** Hypotheses kept; 1, the default, is greedy search. */
  beam?: number;
  /** Answers: the first, and the others in `alternatives`. At most `beam`. */
  nBest?: number;
  /** With a beam: above 0 favors longer answers. The default is what was chosen in training, 0 if nothing was. */
  lengthPenalty?: number;
  /** Least number of target tokens, EOS counted. */
  minLength?: number | null;
  /** Largest number of target tokens, EOS counted. */
  maxLength?: number | null;
  /** With a beam: list what each step of the search considered, in `beamSteps`. */
  beamSteps?: boolean;
}

/** A hypothesis that a step of a beam search considered: one that the step before kept, and one more token. */
export interface BeamCandidate {
  /** Its last token; of a transducer also `<step>`, which moves on to the next source token. */
  token: string;
  /** The index of the hypothesis that it continues, among those of the step before; null at the first step. */
  parent: number | null;
  /** Summed over its tokens, in nats. */
  logProb: number;
  /** `logProb` with the length penalty: what it would be ranked by if it ended here. */
  score: number;
  /** Continued by the next step; ended; others were better; or kept, but the search was over. */
  fate: "kept" | "finished" | "pruned" | "stopped";
}

export interface Prediction {
  /** The answer; of a language model the text, continued. */
  text: string;
  /** The columns of `weights`, EOS included. */
  sourceTokens: string[];
  /** The generated tokens, the rows of `weights`. */
  tokens: string[];
  /** Log-probability in nats; -Infinity if nothing was found. */
  logProb: number;
  /** The log-probability per token, or with a length penalty the score by which the beam ranked. */
  score: number;
  tokenLogProbs: number[];
  /** Attention weights; null for a model without attention. */
  weights: number[][] | null;
  /** False if the answer was cut off at the maximum length. */
  finished: boolean;
  alternatives: Prediction[];
  /** What each step of a beam search considered, most probable first; of the first answer, with the option `beamSteps`. */
  beamSteps: BeamCandidate[][];
}

export declare class Model {
  /** The answer to a text. Throws RangeError for an option out of range or a text that is too long. */
  predict(text: string, options?: Options): Prediction;
}

/** The model in this file. */
export declare function load(): Promise<Model>;
