/** Makes many values with a turn for the rest of the process in between, so that Ctrl-C and progress are heard. */
export async function prepared<Value>(count: number, make: (index: number) => Value): Promise<Value[]> {
  const values: Value[] = [];
  for (let index = 0; index < count; index += 1) {
    values.push(make(index));
    if (index % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
  }
  return values;
}
