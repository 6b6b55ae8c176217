/** How an answer is searched for. */
export interface Options {
  /** Hypotheses kept, 1 to 1,000; 1, the default, is greedy search. */
  beam?: number;
  /** Answers: the first, and the others in `alternatives`. At most `beam`. */
  nBest?: number;
  /** With a beam: above 0 favors longer answers. The default is what was chosen in training, 0 if nothing was. */
  lengthPenalty?: number;
  /** Least number of target tokens, EOS counted. */
  minLength?: number | null;
  /** Largest number of target tokens, EOS counted. */
  maxLength?: number | null;
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
}

export declare class Model {
  /** The answer to a text. Throws RangeError for an option out of range, a text that is too long, or one of other fields. */
  predict(text: string, options?: Options): Prediction;
}

/** The model in this file. */
export declare function load(): Promise<Model>;
