// What the figures beside a bundle's scores mean. better: which way; null: neither, or a value to come close to.

const METRICS = {
  MAE: ["mean absolute error, in the data’s unit", "lower"],
  RMSE: ["root of the mean squared error, in the data’s unit", "lower"],
  sMAPE: ["symmetric percentage error, from 0 to 200", "lower"],
  MASE: ["error in units of the seasonal-naive error", "lower"],
  WQL: ["weighted quantile loss: judges the intervals, too", "lower"],
  coverage_80: ["share of what happened that the 80 % intervals held; 80 % is right", null],
  coverage_95: ["share of what happened that the 95 % intervals held; 95 % is right", null],
  accuracy: ["share that is right", "higher"],
  subset_accuracy: ["share with all labels right", "higher"],
  macro_f1: ["F1, every class counting alike", "higher"],
  micro_f1: ["F1 over all labels", "higher"],
  balanced_accuracy: ["share that is right, every class counting alike", "higher"],
  log_loss: ["loss of the probabilities", "lower"],
  brier: ["squared error of the probabilities", "lower"],
  ece: ["how far confidence and accuracy lie apart", "lower"],
  ece_width: ["the same over bins of equal width", "lower"],
  perplexity: ["among how many tokens it is as good as undecided", "lower"],
  nats_per_token: ["surprise of a token, in nats", "lower"],
  bits_per_token: ["surprise of a token, in bits", "lower"],
  bits_per_character: ["surprise of a character, in bits", "lower"],
  bits_per_byte: ["surprise of a byte, in bits", "lower"],
  bleu: ["runs of words that the references have, too, from 0 to 100", "higher"],
  chrf: ["the same of characters, from 0 to 100", "higher"],
  bleu1: ["words that the references have, too, from 0 to 100", "higher"],
  bleu2: ["runs of up to two words that the references have, too, from 0 to 100", "higher"],
  bleu3: ["runs of up to three words that the references have, too, from 0 to 100", "higher"],
  bleu4: ["runs of up to four words that the references have, too, from 0 to 100", "higher"],
  cider: ["CIDEr-D: what is said as people say it, what is rare counting more", "higher"],
  rouge: ["ROUGE-L: words in the order of a reference, from 0 to 100", "higher"],
  wer: ["errors in words, for each word that was said", "lower"],
  cer: ["errors in characters, for each that was said", "lower"],
  per: ["errors in phones, for each that was said", "lower"],
  words: ["share of words that are right", "higher"],
  right: ["share of recordings without an error", "higher"],
  substituted: ["words taken for others, for each that was said", "lower"],
  left_out: ["words left out, for each that was said", "lower"],
  put_in: ["words put in, for each that was said", "lower"],
  exact: ["share that is just as the reference", "higher"],
  unknown: ["share of tokens that are not in the vocabulary", null],
};
const HEADLINES = ["accuracy", "subset_accuracy", "bits_per_character", "MASE", "MAE"];
const SHARES = /^(accuracy|exact|subset_accuracy|macro_f1|micro_f1|balanced_accuracy|coverage_\d+|unknown|wer|cer|per|words|right|substituted|left_out|put_in)$/;

export function meaning(metric) {
  return METRICS[metric]?.[0] ?? "";
}

export function better(metric) {
  return METRICS[metric]?.[1] ?? null;
}

export function isShare(metric) {
  return SHARES.test(metric);
}

// The metric that a verdict rests on.
export function headline(info) {
  const names = Object.keys(info.scores?.[0]?.metrics ?? {});
  if (!names.length) return undefined;
  // A word or two have no runs of words.
  if (info.task === "translate") return info.schema?.target?.unit === "characters" ? "exact" : "bleu";
  if (info.task === "caption") return "cider";
  const single = info.schema?.targets?.length === 1 && !info.schema.ids?.length && !info.schema.series_in_rows;
  const order = single ? ["MAE", ...HEADLINES] : HEADLINES;
  return order.find((name) => names.includes(name)) ?? names[0];
}

// Rows that were judged alike: "ETS, 52 windows" is not compared with "Naive".
export function judged(method) {
  return method.match(/, [\d,]+ \w+$/)?.[0] ?? "";
}
