import RigLCore
import Testing

@Suite struct SyntheticImagesTests {
  static let small = SyntheticImages(trainCount: 300, testCount: 100, seed: 5)

  @Test func followsFromItsSeed() {
    let first = Self.small.load()
    let again = Self.small.load()
    #expect(first.train.bytes == again.train.bytes && first.train.labels == again.train.labels)
    #expect(first.test.bytes == again.test.bytes && first.test.labels == again.test.labels)
    var other = Self.small
    other.seed = 6
    #expect(other.load().train.bytes != first.train.bytes)
  }

  @Test func longerSetsBeginWithShorterOnes() {
    var longer = Self.small
    longer.trainCount = 350
    longer.testCount = 101
    let (short, long) = (Self.small.load(), longer.load())
    #expect(Array(long.train.bytes.prefix(300 * 784)) == short.train.bytes)
    #expect(Array(long.test.labels.prefix(100)) == short.test.labels)
  }

  @Test func testImagesAreOthers() {
    let (train, test) = Self.small.load()
    func images(_ set: ImageSet) -> Set<[UInt8]> {
      Set((0..<set.count).map { Array(set.bytes[($0 * 784)..<(($0 + 1) * 784)]) })
    }
    #expect(images(train).count == 300 && images(test).count == 100)
    #expect(images(train).isDisjoint(with: images(test)))
    #expect(test.normalization == train.normalization)
  }

  @Test(arguments: [
    (SampleShape(channels: 1, height: 28, width: 28), 10),
    (SampleShape(channels: 3, height: 9, width: 15), 2),
    (SampleShape(channels: 2, height: 4, width: 5), 256),
  ])
  func hasTheShapeAskedFor(shape: SampleShape, classes: Int) {
    let (train, test) = SyntheticImages(
      trainCount: 20, testCount: 10, sampleShape: shape, classes: classes
    ).load()
    for (set, count) in [(train, 20), (test, 10)] {
      #expect(set.count == count && set.sampleShape == shape && set.classes == classes)
      #expect(set.bytes.count == count * shape.count)
    }
  }

  @Test func classesAreEquallyFrequent() {
    let shape = SampleShape(channels: 1, height: 4, width: 4)
    let train = SyntheticImages(trainCount: 5000, testCount: 1, sampleShape: shape).load().train
    for label in 0..<10 as Range<UInt8> {
      #expect(abs(train.labels.count { $0 == label } - 500) < 5 * 21)  // deviation 21
    }
  }

  /// The nearest training image tells the class far better than the nearest class mean: what can
  /// be learnt is there, and not to be had by a linear rule; unless a class is one combination.
  @Test func needsMoreThanALinearModel() {
    let four = accuracies(combinations: 4)
    #expect(four.linear > 20 && four.linear < 60, "\(four) of 100")
    #expect(four.nearest > four.linear + 20, "\(four) of 100")
    let one = accuracies(combinations: 1)
    #expect(one.linear > four.linear + 25, "\(one) of 100")
  }

  private func accuracies(combinations: Int) -> (linear: Int, nearest: Int) {
    let (train, test) = SyntheticImages(
      trainCount: 800, testCount: 100, sampleShape: SampleShape(channels: 1, height: 14, width: 14),
      combinations: combinations, noise: 40
    ).load()
    let images = (0..<train.count).map { image(train, $0) }
    var means = [[Int]](repeating: [Int](repeating: 0, count: 196), count: 10)
    for label in 0..<10 {
      let members = images.indices.filter { train.label(of: $0) == label }
      for member in members { for i in 0..<196 { means[label][i] += images[member][i] } }
      for i in 0..<196 { means[label][i] /= max(members.count, 1) }
    }
    var (linear, nearest) = (0, 0)
    for sample in 0..<test.count {
      let image = image(test, sample)
      if closest(to: image, of: means) == test.label(of: sample) { linear += 1 }
      if train.label(of: closest(to: image, of: images)) == test.label(of: sample) { nearest += 1 }
    }
    return (linear, nearest)
  }

  private func image(_ set: ImageSet, _ sample: Int) -> [Int] {
    set.bytes[(sample * 196)..<((sample + 1) * 196)].map { Int($0) }
  }

  private func closest(to image: [Int], of others: [[Int]]) -> Int {
    var (best, bestDistance) = (0, Int.max)
    for (index, other) in others.enumerated() {
      var distance = 0
      for i in 0..<image.count { distance += (image[i] - other[i]) * (image[i] - other[i]) }
      if distance < bestDistance { (best, bestDistance) = (index, distance) }
    }
    return best
  }
}
