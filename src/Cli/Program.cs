Console.WriteLine("monoloss");
