# %% long
def to_long(wide):
    table = wide.melt("YEAR", var_name="month", value_name="temperature")
    table["month"] = table["month"].map(lambda name: MONTHS.index(name) + 1)
    return table.rename(columns={"YEAR": "year"})

# %% cycle
def seasonal_cycle(table):
    return table.groupby("month")["temperature"].mean()

# %% warm
while True:
    break
