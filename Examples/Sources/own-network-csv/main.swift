// An own network on a CSV file: reads the table, brings its columns to mean 0 and deviation 1, trains
// a sparse network on most of its rows, and says how well it does on the others.
//
//     swift run --package-path Examples own-network-csv [FOLDER [FILE.csv]]
//
// FILE.csv begins with a line of names, and has a sample on each other line: numbers, and in the last
// column its class. Without one the program writes a table first. Its files go to FOLDER, or to a
// temporary folder.
import Foundation
import RigLCore
import Support

struct TwoHiddenLayers: Network {
  func layers(input: SampleShape, classes: Int) -> Sequential {
    Sequential(
      SparseLinear("hidden1", inputs: input.count, outputs: 96), ReLU(),
      SparseLinear("hidden2", inputs: 96, outputs: 96), ReLU(),
      SparseLinear("output", inputs: 96, outputs: classes))
  }
}

runExample { scratch in
  let given = CommandLine.arguments.dropFirst(2).first
  let path = try given ?? writeTable(to: scratch.fresh("leaves.csv"))
  let table = try Table(path: path)
  print("\(path): \(table.count) samples, \(table.sampleShape.count) features,", terminator: " ")
  print("classes \(table.names.joined(separator: ", "))")

  // Rows in an order of chance: 70 % to train, 15 % to choose by, 15 % to test.
  var numbers = Numbers(seed: 1)
  let rows = Array(0..<table.count).shuffled(using: &numbers)
  let (first, second) = (table.count * 70 / 100, table.count * 85 / 100)
  let scale = Scale(table, rows[..<first])
  let data = TrainingData(
    train: table.taking(rows[..<first], scale),
    validation: table.taking(rows[first..<second], scale),
    test: table.taking(rows[second...], scale))

  var configuration = Configuration()
  configuration.sparsity = 0.8
  configuration.epochs = 25
  configuration.batchSize = 32
  configuration.updateInterval = 20
  configuration.learningRate = 0.05
  let trainer = try Trainer(
    configuration, options: scratch.options("run"), network: TwoHiddenLayers(), data: data)
  for layer in trainer.model.sparseLayers {
    print("\(layer.name): \(layer.count) of \(layer.positions) connections")
  }
  let result = try trainer.run()
  let accuracy = result.test?.accuracy ?? 0
  if let best = result.best {
    print("validation accuracy \(text(best.accuracy)) at best, at step \(best.step)")
  }
  print("test accuracy \(text(accuracy))")

  // The trained network, as another program would open it.
  let run = try SavedRun(scratch.path + "/run", network: TwoHiddenLayers())
  let row = rows[second]
  let label = try run.predict([scale.applied(to: table.rows[row])])[0]
  print("sample \(row) is taken for \(table.names[label]), and is", table.names[table.labels[row]])
  if given == nil { try check(accuracy > 0.85, "an accuracy of \(accuracy)") }
}
