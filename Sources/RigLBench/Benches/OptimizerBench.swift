import RigLCore

/// How close an optimizer's step over an array of connections comes to copying memory.
package struct OptimizerBench: Sendable {
  /// Parameters: far more than any cache holds.
  package var count = 1 << 24
  /// Rounds, in each of which every optimizer and copying take turns.
  package var rounds = 9

  /// Every optimizer.
  package init() {}

  private struct Subject {
    let name: String
    let state: OptimizerState
    /// Bytes read and written for each parameter.
    let bytes: Int
    var times: [Double] = []

    init(_ name: String, _ optimizer: any Optimizer, _ parameter: Parameter, bytes: Int) {
      self.name = name
      self.bytes = bytes
      state = OptimizerState(optimizer, parameters: [parameter])
    }

    /// Late in a training with an update every 100 steps, each of which grew as many connections.
    func setAges(_ parameter: Parameter) {
      var births = AlignedBuffer<Int32>(count: parameter.count)
      births.withMutableSpan { births in
        for index in births.indices {
          births[index] =
            Int32((UInt32(truncatingIfNeeded: index) &* 2_654_435_761) >> 8) % 300 * 100
        }
      }
      state.weightSteps = 30_000
      state.setBirths(births, of: parameter)
    }
  }

  /// Measures on one thread.
  package func run(_ report: (Record) throws -> Void) throws {
    let pool = try ThreadPool(threads: 1)
    let parameter = Parameter(name: "weights", shape: [count], count: count, decays: true)
    // Memory that was never written is one page of zeros, which costs nothing to read.
    parameter.gradient.fill(1e-3)
    // Weight and gradient are read and the weight is written; state is read and written.
    var subjects = [
      Subject("sgd", SGD(), parameter, bytes: 12),
      Subject("momentum", SGD(momentum: 0.9), parameter, bytes: 20),
      Subject("nesterov", SGD(momentum: 0.9, nesterov: true), parameter, bytes: 20),
      Subject("adam", Adam(weightDecay: 1e-4), parameter, bytes: 28),
      Subject("adamw", Adam(decoupledWeightDecay: 1e-2), parameter, bytes: 28),
      // Births are read, too.
      Subject("adam_age", Adam(weightDecay: 1e-4), parameter, bytes: 32),
    ]
    subjects[subjects.count - 1].setAges(parameter)
    let (source, target) = (Block<Float>(count: count), Block<Float>(count: count))
    source.fillAtRandom(number: 0)
    var copying: [Double] = []
    for round in 0...rounds {
      let copyTime = seconds { target.copy(from: source) }
      if round > 0 { copying.append(copyTime) }
      for index in subjects.indices {
        let time = seconds {
          subjects[index].state.step(learningRate: 1e-3, gradientScale: 1, pool: pool)
        }
        // The first round only brings the memory in place.
        if round > 0 { subjects[index].times.append(time) }
      }
    }
    for subject in subjects {
      let bytes = Double(subject.bytes * count)
      var record = Record("update")
      record.add("case", .text(subject.name), title: "optimizer")
      record.add("parameters", .integer(count))
      record.add("threads", .integer(1))
      record.add("step_ms", .number(median(subject.times) * 1e3), title: "ms")
      record.add("gb_per_s", .number(bytes / median(subject.times) / 1e9), title: "GB/s")
      // What memcpy moves in the same time: it reads and writes each byte. A step in place can be
      // ahead of it, since what a copy overwrites may have to be fetched first.
      let share = medianRatio(copying, subject.times) * bytes / Double(8 * count)
      record.add("share_of_memcpy", .number(share), title: "of memcpy")
      record.add("rounds", .integer(rounds))
      try report(record)
    }
  }
}
