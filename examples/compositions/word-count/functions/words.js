// How often each word is in a text: {"the": 3, ...}
exports.handler = async (event) => {
  const counts = {};
  for (const word of event.text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    counts[word] = (counts[word] ?? 0) + 1;
  }
  return counts;
};
