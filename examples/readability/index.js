// How hard is a text to read? The automated readability index of its sentences.

exports.main = async ({ text }) => {
  const sentences = text.split(/[.!?]+\s/).filter((part) => part.trim());
  const words = text.match(/\p{L}+/gu) ?? [];
  const letters = words.reduce((sum, word) => sum + word.length, 0);
  console.log(`${sentences.length} sentences`);
  const index =
    4.71 * (letters / words.length) + 0.5 * (words.length / sentences.length) - 21.43;
  return { sentences: sentences.length, words: words.length, index: Math.round(index * 10) / 10 };
};
