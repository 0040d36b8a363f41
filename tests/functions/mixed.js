// Many runs at once in one worker.

exports.main = async ({ n, seconds }) => {
  console.log('before', n);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  console.log('after', n);
  return n;
};
