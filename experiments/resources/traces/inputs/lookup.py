# Input of the Python trace: fills a dictionary in order and looks everything up out of order.

COUNT = 30_000

table = {number: number << 20 for number in range(COUNT)}
order = [number * 40_507 % COUNT for number in range(COUNT)]
print(sum(map(table.__getitem__, order)))
